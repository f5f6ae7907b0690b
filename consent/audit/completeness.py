"""Holding a bundle against a copy of the whole log, to see what it left out."""

from __future__ import annotations

from pathlib import Path

from consent.audit.bundle import Bundle
from consent.audit.changes import MARKS, ChangeIndex, change
from consent.audit.evidence import CheckedGrant
from consent.audit.findings import LOG, BundleReport, Proofs
from consent.audit.logview import LogView
from consent.errors import VivavoceError
from consent.log import LogReader, Verifier, open_checkpoint

_OUTCOMES = (b'"kind":"sealed"', b'"kind":"abandoned"')


def check_completeness(
    folder: Path,
    bundle: Bundle,
    proven: Proofs,
    grants: dict[str, CheckedGrant],
    report: BundleReport,
) -> None:
    """Check that a log's copy extends the bundle's checkpoint and tells nothing else.

    Every entry of the copy is checked. What happened after the bundle was made is told.
    """
    verifier = Verifier.parse(bundle.log.vkey)
    try:
        reader = LogReader(folder, verifier)
        then = open_checkpoint(bundle.log.checkpoint, verifier)
        now = reader.check_extends(then)
        view = LogView.verified(reader)
        index = ChangeIndex(view.entries(containing=MARKS))
        outcomes = _outcomes(view)
    except (VivavoceError, ValueError, KeyError, TypeError) as exc:
        words = exc.message if isinstance(exc, VivavoceError) else "an entry does not have its form"
        report.problems.append(f"The copy of the log {folder} does not hold: {words}.")
        return
    report.holds("log", LOG, f"The copy of the log ({now.size} entries) extends the bundle's.")
    for grant_id, grant in grants.items():
        shown = {place.index for place, _ in grant.history}
        refs = grant.references()
        for place, entry in index.about(refs):
            if place <= grant.entry.index or place in shown:
                continue
            if place < then.size:
                report.problems.append(
                    f"Grant {grant_id}: the bundle leaves out entry {place} of the log "
                    f"({change(entry, refs)})."
                )
            else:
                report.holds(grant_id, LOG, f"Since then: {change(entry, refs)} at entry {place}.")
    for output in bundle.outputs:
        output_id = proven[output.receipt.leaf, output.receipt.proof].text("output_id")
        told = output.outcome
        known = set() if told is None else {proven[told.leaf, told.proof].index}
        for place in sorted(outcomes.get(output_id, set()) - known):
            if place < then.size:
                report.problems.append(
                    f"Output {output_id}: the bundle leaves out entry {place} of the log."
                )
            else:
                report.holds(output_id, LOG, f"Since then: its outcome at entry {place}.")


def _outcomes(view: LogView) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for index, entry in view.entries(containing=_OUTCOMES):
        found.setdefault(str(entry["output_id"]), set()).add(index)
    return found
