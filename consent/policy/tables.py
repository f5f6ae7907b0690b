"""Table tests: given a grant, asked for a job, expected an answer, in sentences of TOML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import policies as shipped
from consent import toml
from consent.errors import InputError
from consent.files import read_limited
from consent.policy.decision import Decision
from consent.policy.engine import PolicyEngine
from consent.policy.scenarios import PARTS, Scenario, read_scenario

ALLOWED = "allowed"
_ORDINARY = "ordinary.toml"


@dataclass(frozen=True, slots=True)
class Case:
    """One row of a table.

    Attributes
    ----------
    table
        File name.
    case
        The sentence that must hold.
    denied_by
        Ids of exactly the rules that deny; none when it is allowed.
    says
        Words that the reasons must hold, each.
    """

    table: str
    case: str
    scenario: Scenario
    denied_by: tuple[str, ...]
    says: tuple[str, ...]

    def failure(self, engine: PolicyEngine) -> str | None:
        """Return what is wrong with the answer of `engine`, None if it is as expected."""
        decision = engine.decide(
            self.scenario.request,
            self.scenario.grants,
            surroundings=self.scenario.surroundings,
            action=self.scenario.action,
        )
        return self._difference(decision)

    def _difference(self, decision: Decision) -> str | None:
        denied_by = {reason.rule for reason in decision.reasons}
        if denied_by != set(self.denied_by) or decision.allowed is bool(self.denied_by):
            return f"expected {_answer(self.denied_by)}, got {_answer(sorted(denied_by))}"
        texts = [reason.text for reason in decision.reasons]
        for words in self.says:
            if not any(words in text for text in texts):
                return f"expected it to say {words!r}, it says: {' '.join(texts)!r}"
        return None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A case that was put to the policies; `failure` is None if the answer was as expected."""

    case: Case
    failure: str | None


def shipped_cases() -> Iterator[Case]:
    """Yield the cases of the shipped tables."""
    for name, text in shipped.tables().items():
        if name != _ORDINARY:
            yield from read_table(text, name)


def own_cases(folder: Path) -> Iterator[Case]:
    """Yield the cases of the user's tables (``folder/*.toml``); none where there is no folder.

    Raises
    ------
    InputError
        A table cannot be read or used.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".toml")
    except FileNotFoundError:
        return
    except OSError as exc:
        raise InputError(f"cannot look for tables in {folder}: {exc.strerror or exc}") from exc
    for path in paths:
        try:
            data = read_limited(path)
        except OSError as exc:
            raise InputError(f"cannot read the table {path}: {exc.strerror or exc}") from exc
        yield from read_table(data, str(path))


def read_table(text: str | bytes, name: str) -> Iterator[Case]:
    """Yield the cases of one table.

    Raises
    ------
    InputError
        It is not TOML, or a case has a part or field that is unknown or not of its kind.
    """
    data = toml.parse(text, name)
    unknown = set(data) - {"case", "packs"}
    if unknown or not isinstance(data.get("case"), list) or not data["case"]:
        raise InputError(
            f"{name}: expected [[case]] tables and packs, nothing else",
            hint="docs/policies.md shows how a table is written.",
        )
    seen: set[str] = set()
    for number, row in enumerate(data["case"], 1):
        case = _case(row, data.get("packs", []), name, number)
        if case.case in seen:
            raise InputError(f"{name}: two cases say {case.case!r}")
        seen.add(case.case)
        yield case


def run(cases: Iterable[Case], folder: Path | None, switched_on: Iterable[str]) -> list[Outcome]:
    """Put each case to the packs of `folder`, with those switched on and those it asks for."""
    always = frozenset(switched_on)
    engines: dict[frozenset[str], PolicyEngine] = {}
    found = []
    for case in cases:
        packs = always.union(case.scenario.packs)
        if packs not in engines:
            engines[packs] = PolicyEngine.load(folder, switched_on=packs)
        found.append(Outcome(case, case.failure(engines[packs])))
    return found


def _case(row: Any, packs: Any, name: str, number: int) -> Case:
    where = f"{name}, case {number}"
    if not isinstance(row, Mapping) or not isinstance(row.get("case"), str):
        raise InputError(f"{where}: it has no sentence", hint='case = "What must hold."')
    where = f"{name}, {row['case'][:120]!r}"
    unknown = set(row) - {"case", "expected", "says", *PARTS}
    if unknown:
        raise InputError(f"{where}: it has no {', '.join(sorted(unknown))!r}")
    scenario = {part: row[part] for part in PARTS if part in row}
    expected = row.get("expected")
    denied_by = [] if expected == ALLOWED else expected
    if not isinstance(denied_by, list) or (expected != ALLOWED and not denied_by):
        raise InputError(
            f"{where}: expected is {expected!r}",
            hint='Write "allowed", or the rules that deny: ["base/language"].',
        )
    says = row.get("says", [])
    return Case(
        table=name,
        case=row["case"],
        scenario=read_scenario({"packs": packs, **scenario}, where),
        denied_by=tuple(map(str, denied_by)),
        says=(says,) if isinstance(says, str) else tuple(map(str, says)),
    )


def _answer(rules: Iterable[str]) -> str:
    found = list(rules)
    return f"a denial by {', '.join(found)}" if found else "a yes"
