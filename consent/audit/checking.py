"""The check of everything: log, database, memory, witnesses, counters, and every use of a voice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from consent.audit.collecting import Auditor
from consent.audit.orphans import uses_outside
from consent.audit.records import GrantEntry, Use
from consent.clock import rfc3339
from consent.errors import VivavoceError
from consent.log import LogReader
from consent.log.remembered import check_remembered
from consent.registry import Registry

#: Exit codes of ``vivavoce audit check``.
FINE = 0
PROBLEMS = 5


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the check.

    Attributes
    ----------
    name
        What was checked.
    summary
        What was seen, in one sentence.
    problems
        What is not as it must be, one sentence each.
    remarks
        What is as it may be, and worth knowing.
    """

    name: str
    summary: str
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What :func:`check_everything` found."""

    sections: tuple[Section, ...]

    @property
    def problems(self) -> list[str]:
        """Every problem of every section."""
        return [problem for section in self.sections for problem in section.problems]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def exit_code(self) -> int:
        """What the command ends with: 0, or 5 where something is wrong."""
        return FINE if self.ok else PROBLEMS

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "ok": self.ok,
            "exit_code": self.exit_code,
            "sections": [asdict(section) | {"ok": section.ok} for section in self.sections],
        }


def check_everything(
    registry: Registry,
    *,
    readers: Iterable[LogReader] = (),
    proofs: Sequence[str] = (),
    learn: bool = True,
) -> AuditReport:
    """Check everything that can be checked here; changes nothing but what is remembered.

    Parameters
    ----------
    readers
        Copies of other logs, to hold against what is remembered of them.
    proofs
        Consistency proofs as text, where no copy is at hand.
    learn
        Whether to remember the checkpoints seen, if they contradict nothing.

    Raises
    ------
    InputError
        One of `proofs` is none.
    """
    sections = [
        _section("log and registry", lambda: _registry(registry)),
        # What contradicts is not to be believed later, so this comes before anything is learnt.
        _section("remembered checkpoints", lambda: _memory(registry, readers, proofs, learn)),
        _section("witnesses", lambda: _witnesses(registry)),
    ]
    try:
        auditor = Auditor(registry)
        grants = auditor.grants()
        uses, unexplained = auditor.uses(grants)
    except VivavoceError as exc:
        sections.append(Section("uses of voices", "Nothing could be read.", (_sentence(exc),)))
        return AuditReport(tuple(sections))
    by_id = {grant.id: grant for grant in grants}
    sections.append(_uses(by_id, uses, unexplained))
    sections.append(_section("minutes", lambda: _counters(registry, uses)))
    sections.append(_section("unfinished", lambda: _pending(registry)))
    return AuditReport(tuple(sections))


def _section(name: str, run: Callable[[], Section]) -> Section:
    try:
        found = run()
    except VivavoceError as exc:
        return Section(name, "It could not be checked to its end.", (_sentence(exc),))
    return found


def _registry(registry: Registry) -> Section:
    report = registry.check()
    return Section(
        "log and registry",
        f"{report.entries} entries of the log, {report.authorizations} authorizations and "
        f"{report.receipts} receipts compared.",
        report.problems,
    )


def _memory(
    registry: Registry, readers: Iterable[LogReader], proofs: Sequence[str], learn: bool
) -> Section:
    report = check_remembered(
        registry.home, readers=[registry.log, *readers], proofs=proofs, learn=learn
    )
    return Section(
        "remembered checkpoints",
        f"{len(report.logs)} logs; {report.proven} earlier states are part of a later one.",
        report.problems,
        report.unproven,
    )


def _witnesses(registry: Registry) -> Section:
    log = registry.log
    size = log.checkpoint().size
    witnessed = log.witnessed()
    if witnessed is None:
        return Section(
            "witnesses",
            "No outside witness has signed this log.",
            remarks=(
                "It proves what its operator committed to, not that there is no other: "
                "vivavoce audit witness --help",
            ),
        )
    names = ", ".join(
        f"{cosignature.witness.name} on {rfc3339(cosignature.time)}"
        for cosignature in witnessed.cosignatures
    )
    behind = size - witnessed.size
    return Section(
        "witnesses",
        f"Cosigned at {witnessed.size} of {size} entries by {names}.",
        remarks=(f"The newest {behind} entries have no witness yet.",) if behind else (),
    )


def _uses(grants: dict[str, GrantEntry], uses: list[Use], unexplained: list[str]) -> Section:
    problems = [
        f"Output {use.output_id} ({use.voice}, grant {use.grant_id}): {problem}."
        for use, found in uses_outside((use for use in uses if use.grant_id), grants.get)
        for problem in found
    ]
    sealed = sum(1 for use in uses if use.counts)
    drafts = sum(1 for use in uses if use.review)
    return Section(
        "uses of voices",
        f"{len(grants)} grants; {sealed} published uses and {drafts} drafts for performers.",
        (*unexplained, *problems),
    )


def _counters(registry: Registry, uses: Iterable[Use]) -> Section:
    """Compare the minutes that grants are said to have used with those of the log."""
    used: dict[str, int] = {}
    for use in uses:
        if use.state != "abandoned" and not use.review:
            used[use.grant_id] = used.get(use.grant_id, 0) + use.duration_ms
    problems = []
    records = registry.grants()
    for record in records:
        logged = used.get(record.id, 0)
        if logged != record.used_ms:
            problems.append(
                f"Grant {record.id}: {record.used_ms / 60_000:.2f} minutes are counted, the "
                f"receipts in the log have {logged / 60_000:.2f}."
            )
        if record.granted_ms is not None and logged > record.granted_ms:
            problems.append(
                f"Grant {record.id}: it is for {record.granted_ms / 60_000:.2f} minutes, "
                f"{logged / 60_000:.2f} were used."
            )
        if record.problem and record.problem != "erased":
            problems.append(f"Grant {record.id}: {record.problem}.")
    total = sum(used.values()) / 60_000
    return Section("minutes", f"{total:.2f} minutes under {len(records)} grants.", tuple(problems))


def _pending(registry: Registry) -> Section:
    waiting = registry.pending_receipts()
    return Section(
        "unfinished",
        f"{len(waiting)} receipts have no file yet.",
        remarks=tuple(
            f"Output {receipt.output_id} of {rfc3339(receipt.created_at)}: a running job, or one "
            "that died (the next job of its kind cleans up)."
            for receipt in waiting
        ),
    )


def _sentence(error: VivavoceError) -> str:
    return f"{error.message[:1].upper()}{error.message[1:]}."
