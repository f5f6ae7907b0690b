"""What a work is for: who uses the voices, where it will be heard, and what it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from consent.policy.facts import REVIEW

if TYPE_CHECKING:
    from consent.home import Home
    from consent.policy import Surroundings


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The terms a work is made under; grants and policies are asked about them.

    Attributes
    ----------
    purpose
        ``"audiobook"``, ``"speech"``, or another purpose a grant can name.
    commercial
        The work is commercial: voices, models and grants that forbid it are refused.
    channel
        Where it will be heard: ``"private"``, ``"store"``, ``"radio"``, ...; ``"review"`` makes
        drafts for the performer, which are no publication and spend no granted minutes.
    territory
        ISO 3166-1 code of the country it is published in, or ``"world"``.
    licensee
        Party id or handle of who uses the voices; needed for a voice that is a person's.
    content
        Declared categories of content that grants may exclude, e.g. ``("political",)``;
        ``("none",)`` declares that it holds none of them. Empty: nothing is declared.
    artistic
        Declared as an evidently artistic, satirical or fictional work: some laws then ask for a
        milder disclosure.
    spoken_disclosure
        Begin with a sentence that says that the voice is synthetic. None does so where a
        person's voice is used, drafts for the performer apart.
    """

    purpose: str = "audiobook"
    commercial: bool = False
    channel: str = "private"
    territory: str = "world"
    licensee: str = ""
    content: tuple[str, ...] = ()
    artistic: bool = False
    spoken_disclosure: bool | None = None

    def speaks_disclosure(self, *, granted: bool) -> bool:
        """Whether the work begins with the spoken disclosure.

        Parameters
        ----------
        granted
            A person's voice is used.
        """
        if self.spoken_disclosure is None:
            return granted and self.channel != REVIEW
        return self.spoken_disclosure


def surroundings(home: Home, usage: Usage, *, disclosed: bool) -> Surroundings:
    """Return what will go with the sound: policies ask for it.

    Parameters
    ----------
    disclosed
        The work begins with the spoken disclosure.

    Raises
    ------
    ModelError
        The configuration names a watermark model that is not there.
    """
    from consent.policy import Surroundings
    from provenance import watermark

    return Surroundings(
        signed_metadata=True,
        watermark=watermark.active(home) is not None,
        timestamp=bool(home.setting("seal", "timestamp_url")),
        provider=bool(home.setting("seal", "publisher")),
        audible_disclosure=disclosed,
        written_disclosure=True,  # the door writes it into tags and manifest of every file
        artistic=usage.artistic,
    )
