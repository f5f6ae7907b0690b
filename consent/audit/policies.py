"""Which policies were in force when, as the log shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from consent.clock import rfc3339

#: What an entry that tells of policies has in its text.
MARKS = (b'"kind":"policy"', b'"kind":"receipt"')


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """From this entry on other policies decided.

    Attributes
    ----------
    index, time
        The first entry that shows it: of the kind ``policy``, or a receipt.
    digest
        Of all policies in force.
    rules
        The rules named in that entry: all of them, or those that decided on the receipt's job.
    outputs
        How many receipts were made under them until the next change.
    """

    index: int
    time: datetime
    digest: str
    rules: tuple[str, ...]
    outputs: int

    def to_json(self) -> dict[str, Any]:
        """Return the change as JSON values."""
        return asdict(self) | {"time": rfc3339(self.time), "rules": list(self.rules)}


def policy_changes(entries: Iterable[tuple[int, Mapping[str, Any]]]) -> list[PolicyChange]:
    """Return when policies changed, oldest first.

    A receipt carries the policies of its authorization, which may be older than the last
    change: two sets can alternate for a while.

    Parameters
    ----------
    entries
        (place, entry) pairs in the order of the log; other kinds are passed over.
    """
    found: list[PolicyChange] = []
    for index, entry in entries:
        kind = entry.get("kind")
        said = entry.get("policy") if kind == "receipt" else entry
        if kind not in ("receipt", "policy") or not isinstance(said, Mapping):
            continue
        digest, rules = str(said.get("digest", "")), tuple(said.get("rules") or ())
        made = 1 if kind == "receipt" else 0
        if found and found[-1].digest == digest:
            last = found[-1]
            found[-1] = PolicyChange(
                last.index, last.time, digest, last.rules or rules, last.outputs + made
            )
            continue
        time = datetime.fromisoformat(str(entry["time"]))
        found.append(PolicyChange(index, time, digest, rules, made))
    return found
