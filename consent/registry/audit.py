"""What the registry holds, and whether it is still what it was."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, select

from consent.clock import rfc3339
from consent.errors import VerificationError
from consent.keys import key_id
from consent.log.merkle import leaf_hash
from consent.registry import check_consents
from consent.registry.grant import accounts
from consent.registry.job import authorizations, leases, openings
from consent.registry.storage import timekeeping
from consent.registry.storage.core import Core
from consent.registry.storage.tables import (
    AuthorizationRow,
    GrantRow,
    LogIndexRow,
    MetaRow,
    ReceiptRow,
    VoiceRow,
    VoiceUseRow,
)


@dataclass(frozen=True, slots=True)
class RegistryStatus:
    """A registry at a glance.

    Attributes
    ----------
    url
        Where the database is, its password left out.
    registry_key, log_vkey
        SHA-256 of the registry's public key; the log's verifier key.
    authorizations, receipts
        Number of each by state.
    minutes
        Minutes of audio in sealed outputs.
    running_jobs
        Leases held now.
    voices, grants
        Number of voices on record as somebody's, and of grants by what was said of them.
    log_size, log_root
        Of the log's checkpoint; the root in hex.
    witnesses
        Names of the trusted witnesses who cosigned the newest witnessed checkpoint; empty while
        the log is known to its operator alone.
    witnessed_size, witnessed_at
        How many entries that checkpoint covers, and when the first of them cosigned it.
    """

    url: str
    registry_tag: str
    registry_key: str
    log_vkey: str
    log_origin: str
    log_size: int
    log_root: str
    witnesses: tuple[str, ...]
    witnessed_size: int
    witnessed_at: datetime | None
    authorizations: dict[str, int]
    receipts: dict[str, int]
    minutes: float
    running_jobs: int
    policy_rules: tuple[str, ...]
    policy_digest: str
    voices: int
    grants: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        at = None if self.witnessed_at is None else rfc3339(self.witnessed_at)
        return asdict(self) | {"witnessed_at": at}


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What :func:`check` found.

    Attributes
    ----------
    problems
        One sentence for each thing that is not as it was; empty when all is well.
    entries, authorizations, receipts
        How many of each were checked.
    """

    problems: tuple[str, ...]
    entries: int
    authorizations: int
    receipts: int

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self) | {"ok": self.ok}


def status(core: Core) -> RegistryStatus:
    """Return counts, keys and the head of the log."""
    checkpoint = core.log.checkpoint()
    witnessed = core.log.witnessed()
    cosignatures = () if witnessed is None else witnessed.cosignatures
    with core.database.read() as session:
        by_state = {
            table: dict(session.exec(select(table.state, func.count()).group_by(table.state)).all())
            for table in (AuthorizationRow, ReceiptRow)
        }
        voices = session.exec(select(func.count()).select_from(VoiceRow)).one()
        grants = session.exec(select(GrantRow.status, func.count()).group_by(GrantRow.status)).all()
        sealed_ms = session.exec(
            select(func.coalesce(func.sum(ReceiptRow.duration_ms), 0)).where(
                ReceiptRow.state == "sealed"
            )
        ).one()
    return RegistryStatus(
        url=core.database.engine.url.render_as_string(hide_password=True),
        registry_tag=core.tag,
        registry_key=key_id(core.key),
        log_vkey=core.log.vkey,
        log_origin=checkpoint.origin,
        log_size=checkpoint.size,
        log_root=checkpoint.root.hex(),
        witnesses=tuple(c.witness.name for c in cosignatures),
        witnessed_size=0 if witnessed is None else witnessed.size,
        witnessed_at=min((c.time for c in cosignatures), default=None),
        authorizations=by_state[AuthorizationRow],
        receipts=by_state[ReceiptRow],
        minutes=int(sealed_ms) / 60_000,
        running_jobs=leases.running(core),
        policy_rules=tuple(sorted(core.policy.rules)),
        policy_digest=core.policy.digest,
        voices=voices,
        grants=dict(grants),
    )


def check(core: Core) -> CheckReport:
    """Check every entry of the log, and everything in the database against it.

    Takes the time of reading both once. Changes nothing.
    """
    problems: list[str] = []
    try:
        # No append meanwhile: log and database must be seen at one moment.
        with core.log.writer() as writer:
            size = writer.checkpoint.size
            core.log.verify()
            leaves = list(core.log.entries())
            with core.database.read() as session:
                problems += _check_head(session, size, writer.checkpoint.root.hex())
                problems += _check_index(session, leaves)
                problems += _check_receipts(core, session, leaves)
                counted, found = _check_authorizations(core, session)
                problems += found
                problems += accounts.check(core, session)
                problems += check_consents.problems(core, session, leaves)
                problems += _check_clock(core, session, leaves)
    except VerificationError as exc:
        return CheckReport((*problems, exc.message), 0, 0, 0)
    receipts = sum(1 for leaf in leaves if json.loads(leaf).get("kind") == "receipt")
    return CheckReport(tuple(problems), size, counted, receipts)


def _check_head(session: Session, size: int, root: str) -> list[str]:
    head = session.get(MetaRow, "log_head")
    if head is None or head.value != f"{size} {root}":
        seen = "nothing" if head is None else f"{head.value.partition(' ')[0]} entries"
        return [f"The registry has seen {seen} of the log, which has {size}."]
    return []


def _check_index(session: Session, leaves: list[bytes]) -> list[str]:
    indexed = dict(session.exec(select(LogIndexRow.leaf_index, LogIndexRow.leaf_hash)).all())
    return [
        f"Entry {index} of the log is not in the registry's index, or differs from it."
        for index, leaf in enumerate(leaves)
        if indexed.pop(index, None) != leaf_hash(leaf).hex()
    ] + [f"The registry's index has an entry {index} that the log has not." for index in indexed]


def _check_clock(core: Core, session: Session, leaves: list[bytes]) -> list[str]:
    seen = timekeeping.latest(session)
    last = datetime.fromisoformat(json.loads(leaves[-1])["time"]) if leaves else None
    problems = []
    if last is not None and (seen is None or last > seen + timekeeping.ADJUSTMENT):
        problems.append("The registry's note of the time it has seen is older than its log.")
    if seen is not None and core.now() < seen - timekeeping.ADJUSTMENT:
        problems.append(f"The clock was set back: this registry has already seen {rfc3339(seen)}.")
    return problems


def _check_receipts(core: Core, session: Session, leaves: list[bytes]) -> list[str]:
    problems = []
    rows = {row.output_id: row for row in session.exec(select(ReceiptRow)).all()}
    uses: dict[str, list[tuple[Any, ...]]] = {}
    digests = dict(session.exec(select(GrantRow.id, GrantRow.digest)).all())
    authorized = dict(session.exec(select(AuthorizationRow.id, AuthorizationRow.digest)).all())
    for use in session.exec(select(VoiceUseRow)).all():
        uses.setdefault(use.output_id, []).append(_as_logged(core, use, digests))
    outcome: dict[str, dict[str, Any]] = {}
    for leaf in leaves:
        entry = json.loads(leaf)
        if entry["kind"] in ("sealed", "abandoned"):
            outcome[entry["output_id"]] = entry
    for index, leaf in enumerate(leaves):
        entry = json.loads(leaf)
        if entry["kind"] != "receipt":
            continue
        output_id = entry["output_id"]
        row = rows.pop(output_id, None)
        if row is None:
            problems.append(f"The receipt of the output {output_id} was deleted.")
            continue
        last = outcome.get(output_id, {"kind": "issued"})
        unknown = {use[0] for use in uses.get(output_id, []) if use[1] == "grant" and not use[4]}
        if unknown:
            problems.append(f"The output {output_id} names a grant that is not on record.")
        voices = [
            (
                voice["voice"],
                voice["basis"],
                voice["licence"],
                voice["duration_ms"],
                "" if voice["voice"] in unknown else voice.get("grant", ""),
                bool(voice.get("review")),
            )
            for voice in entry["voices"]
        ]
        expected = (index, leaf.decode(), entry["duration_ms"], last["kind"])
        if expected != (row.leaf_index, row.leaf_json, row.duration_ms, row.state) or (
            last["kind"] == "sealed" and (row.sha256, row.size) != (last["sha256"], last["size"])
        ):
            problems.append(f"The receipt of the output {output_id} was changed.")
        # A receipt that came back from the log after a loss knows its authorization's digest alone.
        if row.authorization_id is not None and (
            authorized.get(row.authorization_id) != entry["authorization"]
        ):
            problems.append(
                f"The authorization of the output {output_id} was deleted, or is another's."
            )
        if sorted(uses.get(output_id, [])) != sorted(voices):
            problems.append(f"The voices' use in the output {output_id} was changed.")
    problems += [f"The receipt of the output {name} is not in the log." for name in rows]
    return problems


def _as_logged(core: Core, use: VoiceUseRow, digests: dict[str, str]) -> tuple[Any, ...]:
    """Return what the log must say of a voice's use."""
    voice, grant = use.voice, ""
    if use.grant_id is not None:
        digest = digests.get(use.grant_id, "")
        opened = openings.opening(core, use.output_id, use.voice, use.grant_id, digest)
        voice, grant = openings.voice_commitment(opened), openings.grant_commitment(opened)
    return (voice, use.basis, use.licence, use.duration_ms, grant, use.review)


def _check_authorizations(core: Core, session: Session) -> tuple[int, list[str]]:
    problems = []
    totals = {
        owner: (count, int(total))
        for owner, count, total in session.exec(
            select(ReceiptRow.authorization_id, func.count(), func.sum(ReceiptRow.duration_ms))
            .where(ReceiptRow.state != "abandoned", col(ReceiptRow.authorization_id).is_not(None))
            .group_by(ReceiptRow.authorization_id)
        ).all()
    }
    rows = session.exec(select(AuthorizationRow)).all()
    states = Counter[str]()
    for row in rows:
        states[row.state] += 1
        if not authorizations.intact(core, row):
            problems.append(f"The authorization {row.id} was changed: its signature does not fit.")
            continue
        if totals.get(row.id, (0, 0)) != (row.receipts, row.used_ms):
            problems.append(f"The minutes of the authorization {row.id} do not fit its receipts.")
        if row.used_ms > authorizations.open_authorization(row).allowed_ms:
            problems.append(f"The authorization {row.id} was overspent.")
    return states.total(), problems


__all__ = ["CheckReport", "RegistryStatus", "check", "status"]
