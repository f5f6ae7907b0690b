"""What policies are told about a grant, and about what will go with the sound.

The registry fills :class:`GrantFacts` from the grant's terms and its state; the policies judge
them. Nothing here decides anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

#: What a grant can be for.
PURPOSES = (
    "audiobook",
    "speech",
    "podcast",
    "broadcast",
    "film",
    "dubbing",
    "game",
    "advertising",
    "e-learning",
    "accessibility",
    "assistant",
    "telephony",
    "research",
    "training-data",
)
#: What a rights holder can exclude and a job can declare.
CONTENT = (
    "sexual",
    "political",
    "religious",
    "hate",
    "violence",
    "medical-advice",
    "legal-advice",
    "financial-advice",
    "gambling",
    "alcohol",
    "tobacco",
    "impersonation-of-others",
    "children",
    "advertising",
)
#: What a job declares whose text has nothing of :data:`CONTENT` in it.
NO_SUCH_CONTENT = "none"
#: What a grant can allow to be done with a voice.
PERMISSIONS = ("synthesis", "cloning", "training", "derivatives", "export")
#: What can be the matter with a grant; ``"active"`` alone lets it count.
STATUSES = (
    "active",
    "suspended",
    "revoked",
    "superseded",
    "expired",
    "not-yet-valid",
    "status-stale",
    "key-not-valid",
)
#: The channel of a draft for the performer's ears.
REVIEW = "review"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantFacts:
    """A grant as policies see it: its terms as they were signed, and how it stands now.

    Attributes
    ----------
    id
        Of the grant, ``urn:uuid:...``.
    status
        One of :data:`STATUSES`. Where several apply, the first in the order: key-not-valid,
        revoked, superseded, suspended, expired, not-yet-valid, status-stale.
    status_since
        When it came to be so, for the words of a denial; None where it is not known.
    owner, licensee
        Party ids: whose voice it is, and who may use it.
    registry_matches
        Whether this registry is the one that may spend the grant.
    purposes
        From :data:`PURPOSES`.
    works
        (title, identifier) of each work, either may be empty; no works at all means any work.
    exclusions
        From :data:`CONTENT`.
    languages
        BCP 47 ranges, ``"*"`` for any.
    territories
        ISO 3166-1 alpha-2 codes, or ``"world"``.
    channels
        Names of channels, ``"*"`` for any.
    valid_from, valid_until
        Aware.
    left_ms
        Milliseconds that may still be reserved, open reservations taken off; None: no limit.
    commercial
        Whether commercial use is allowed.
    permissions
        From :data:`PERMISSIONS`.
    basis
        ``"self"``, ``"agent"``, ``"guardian"`` or ``"estate"``.
    mandate_valid
        Whether the mandate that the basis rests on is on record, covers this and has not
        ended. Of no account with ``"self"``.
    proof
        Whether the grant holds proof of its basis (a commitment to the document).
    minor
        Whether the person whose voice it is is under 18 now.
    approval_required, approved
        Whether the performer must approve before publication, and has approved this job.
    disclosure_audible
        Whether the grant wants it said aloud that the voice is synthetic.
    evidence
        Kinds of evidence that the grant commits to.
    superseded_by
        Id of the grant that took its place, or empty.
    """

    id: str
    status: str
    owner: str
    licensee: str
    registry_matches: bool
    purposes: tuple[str, ...]
    languages: tuple[str, ...]
    territories: tuple[str, ...]
    channels: tuple[str, ...]
    valid_from: datetime
    valid_until: datetime
    left_ms: int | None
    commercial: bool
    permissions: tuple[str, ...]
    works: tuple[tuple[str, str], ...] = ()
    exclusions: tuple[str, ...] = ()
    basis: str = "self"
    mandate_valid: bool = False
    proof: bool = False
    minor: bool = False
    approval_required: bool = False
    approved: bool = False
    disclosure_audible: bool = False
    evidence: tuple[str, ...] = ()
    superseded_by: str = ""
    status_since: datetime | None = None

    @property
    def term_days(self) -> int:
        """Length of its validity in days, rounded up."""
        return math.ceil((self.valid_until - self.valid_from) / timedelta(days=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What will go with the sound, as far as the caller knows; None where it does not.

    A rule that needs one of these takes "not known" for no.

    Attributes
    ----------
    signed_metadata
        The file will carry a signed manifest.
    watermark
        The sound will carry an inaudible mark.
    timestamp
        The signature will be time-stamped by an outside server.
    provider
        The manifest will name the provider.
    audible_disclosure
        It is said aloud, at the start, that the voice is synthetic.
    written_disclosure
        It is said in writing where the work is offered, and in the file's tags.
    artistic
        The requester declares an evidently artistic, creative, satirical or fictional work.
    """

    signed_metadata: bool | None = None
    watermark: bool | None = None
    timestamp: bool | None = None
    provider: bool | None = None
    audible_disclosure: bool | None = None
    written_disclosure: bool | None = None
    artistic: bool | None = None
