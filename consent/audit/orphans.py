"""Receipts without a file, and files without a receipt.

The files come from the caller, with what their manifests claim: this room does not read audio.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from consent.audit.records import GrantEntry, Use, outside
from consent.clock import rfc3339

#: How a file stands to its receipt.
KNOWN = "known"
UNKNOWN = "no receipt"
NOT_SEALED = "never sealed"
CHANGED = "other bytes"
ELSEWHERE = "another registry"
SILENT = "no claim"

#: Those that somebody has to look at.
SUSPICIOUS = (UNKNOWN, NOT_SEALED)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a file says of itself; none of it is believed.

    Attributes
    ----------
    path
        The file.
    output_id
        As its manifest names it; empty where there is no manifest of this kind.
    sha256
        Of the file's bytes, hex.
    grants
        Digests of the grants it claims to be made under.
    made_at
        When it says it was made; None where it does not say.
    """

    path: str
    output_id: str
    sha256: str
    grants: tuple[str, ...] = ()
    made_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KnownOutput:
    """What the registry knows of an output: its state and the digest of its file."""

    output_id: str
    state: str
    sha256: str
    made_at: datetime
    title: str = ""
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the output as JSON values."""
        return asdict(self) | {"made_at": rfc3339(self.made_at)}


@dataclass(frozen=True, slots=True)
class FileFinding:
    """A file held against the registry."""

    claim: Claim
    status: str
    sentence: str
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON values."""
        return {
            "path": self.claim.path,
            "output_id": self.claim.output_id,
            "sha256": self.claim.sha256,
            "status": self.status,
            "sentence": self.sentence,
            "problems": list(self.problems),
        }


@dataclass(frozen=True, slots=True)
class OrphanReport:
    """Both kinds of orphans.

    Attributes
    ----------
    pending
        Receipts whose file was never finished, and nobody said so.
    abandoned
        Receipts that were given up: no harm, and none may turn up as a file.
    files
        The files that were looked at.
    """

    pending: tuple[KnownOutput, ...]
    abandoned: tuple[KnownOutput, ...]
    files: tuple[FileFinding, ...] = field(default=())

    @property
    def problems(self) -> list[str]:
        """One sentence for each file that somebody has to look at."""
        found = []
        for finding in self.files:
            if finding.status in SUSPICIOUS:
                found.append(finding.sentence)
            found += finding.problems
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "pending": [output.to_json() for output in self.pending],
            "abandoned": [output.to_json() for output in self.abandoned],
            "files": [finding.to_json() for finding in self.files],
            "problems": self.problems,
        }


def find_orphans(
    outputs: Iterable[KnownOutput],
    claims: Iterable[Claim],
    *,
    tag: str,
    grant_of: Callable[[str], GrantEntry | None],
) -> OrphanReport:
    """Hold receipts and files against each other.

    Parameters
    ----------
    outputs
        Every output of the registry.
    claims
        Files, and what their manifests say.
    tag
        Of this registry: the first four digits of its output ids.
    grant_of
        Returns a grant by its digest, None for one that is not on record.
    """
    by_id = {output.output_id: output for output in outputs}
    return OrphanReport(
        pending=tuple(output for output in by_id.values() if output.state == "issued"),
        abandoned=tuple(output for output in by_id.values() if output.state == "abandoned"),
        files=tuple(_judge(claim, by_id, tag, grant_of) for claim in claims),
    )


def _judge(
    claim: Claim,
    outputs: dict[str, KnownOutput],
    tag: str,
    grant_of: Callable[[str], GrantEntry | None],
) -> FileFinding:
    known = outputs.get(claim.output_id)
    name, output_id = claim.path, claim.output_id
    if not output_id:
        return FileFinding(claim, SILENT, f"{name} claims no output of any registry.")
    if known is None:
        # Whoever made it, it speaks with a voice that is on record here.
        problems = tuple(_claimed_uses(claim, grant_of))
        if output_id[:4] != tag:
            return FileFinding(
                claim,
                ELSEWHERE,
                f"{name} claims the output {output_id} of the registry {output_id[:4]}.",
                problems,
            )
        return FileFinding(
            claim,
            UNKNOWN,
            f"{name} claims the output {output_id}, for which there is no receipt here.",
            problems,
        )
    if known.state != "sealed":
        return FileFinding(
            claim,
            NOT_SEALED,
            f"{name} claims the output {output_id}, which was never sealed ({known.state}).",
        )
    if known.sha256 != claim.sha256:
        return FileFinding(
            claim,
            CHANGED,
            f"{name} claims the output {output_id}, and is not the file that was sealed: "
            "`vivavoce verify` says what was changed.",
        )
    return FileFinding(claim, KNOWN, f"{name} is the output {output_id}.")


def _claimed_uses(claim: Claim, grant_of: Callable[[str], GrantEntry | None]) -> Iterable[str]:
    """Yield what is wrong with the uses of grants that a file without a receipt claims."""
    for digest in claim.grants:
        grant = grant_of(digest)
        if grant is None:
            continue
        yield (
            f"{claim.path} claims the grant {grant.id} for {grant.voice}; this registry, the "
            "only one that may use it, made no such output."
        )
        if claim.made_at is None:
            continue
        # Only its own word says when it was made: compare by date, for it has no place in our log.
        ended = [e for e in grant.events if e.kind == "revocation" and e.at <= claim.made_at]
        if ended:
            yield (
                f"{claim.path} claims to be made on {rfc3339(claim.made_at)}, when the grant "
                f"{grant.id} had been revoked on {rfc3339(ended[0].at)}."
            )
        elif not grant.valid_from <= claim.made_at < grant.valid_until:
            yield (
                f"{claim.path} claims to be made on {rfc3339(claim.made_at)}, when the grant "
                f"{grant.id} was not valid."
            )


def uses_outside(
    uses: Iterable[Use], grant_of: Callable[[str], GrantEntry | None]
) -> list[tuple[Use, list[str]]]:
    """Return every use that its grant did not cover, and why.

    Parameters
    ----------
    grant_of
        Returns a grant by its id, None for one that is not on record.
    """
    found = []
    for use in uses:
        problems = [*use.problems, *outside(grant_of(use.grant_id), use)]
        if problems:
            found.append((use, problems))
    return found
