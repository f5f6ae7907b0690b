"""What checking a bundle of evidence finds: what holds, on what it rests, and what is not shown."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from consent.audit.bundle import FULL, Bundle

PROVED = "proved"
CONSISTENT = "consistent in itself"
CONTRADICTED = "contradicted"

#: Exit codes of ``vivavoce audit verify-bundle``.
EXIT_CODES = {PROVED: 0, CONSISTENT: 10, CONTRADICTED: 5}

#: On what a finding rests.
LOG = "log"
REGISTRY = "registry"
FILE = "file"

#: What only the registry's signature vouches for, as places in the document; ``*`` is any number.
UNPROVED = (
    "made_at",
    "certificates",
    "certificates.*",
    "outputs.*.work",
    "outputs.*.identifier",
    "outputs.*.title",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was checked and holds.

    Attributes
    ----------
    about
        What it is about: ``"log"``, ``"registry"``, an output id, the id of a grant, ``"file"``.
    basis
        ``"log"``: proved by an entry of the log; ``"registry"``: said and signed by the registry;
        ``"file"``: seen in the file at hand.
    """

    about: str
    basis: str
    sentence: str


@dataclass
class BundleReport:
    """What :func:`verify_bundle` found.

    Attributes
    ----------
    problems
        What does not hold, one sentence each; with any of them the bundle proves nothing.
    not_covered
        What nothing in the bundle proves, said openly.
    trusted
        Which key from elsewhere it was held against.
    """

    findings: list[Finding] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    not_covered: list[str] = field(default_factory=list)
    trusted: dict[str, bool] = field(default_factory=lambda: {"log": False, "registry": False})
    witnesses: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """``"proved"``, ``"consistent in itself"`` or ``"contradicted"``."""
        if self.problems:
            return CONTRADICTED
        return PROVED if any(self.trusted.values()) else CONSISTENT

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        return EXIT_CODES[self.verdict]

    def holds(self, about: str, basis: str, sentence: str) -> None:
        """Note that something was checked and holds."""
        self.findings.append(Finding(about, basis, sentence))

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self) | {"verdict": self.verdict, "exit_code": self.exit_code}


@dataclass(frozen=True, slots=True)
class Proven:
    """An entry whose proof holds.

    Attributes
    ----------
    index
        Its place in the log.
    entry
        What it says.
    """

    index: int
    entry: dict[str, Any]

    @property
    def kind(self) -> str:
        """What kind of entry it is."""
        return str(self.entry.get("kind", ""))

    def text(self, name: str) -> str:
        """Return a text of the entry, empty where there is none."""
        value = self.entry.get(name)
        return value if isinstance(value, str) else ""


#: Proven entries by their (leaf, proof), so that each is checked once.
Proofs = dict[tuple[str, str], Proven]


def say_what_is_not_covered(
    bundle: Bundle, report: BundleReport, *, file: Path | None, log: Path | None
) -> None:
    """Say in the report what nothing in the bundle proves.

    Parameters
    ----------
    file, log
        What the reader gave to compare it with.
    """
    said = report.not_covered
    if not any(report.trusted.values()):
        said.append(
            "Whose log and registry these are: no key from elsewhere was given. Whoever made up "
            "everything could have made up the keys as well."
        )
    elif not report.trusted["log"]:
        said.append(
            "That the registry shows everybody this log: its own key was given, not the log's."
        )
    if not report.witnesses:
        said.append(
            "That there is only one such log: no witness was asked for. The operator could keep "
            "another for others."
        )
    said.append(
        "The time of making the bundle, the certificates, and the names of works and titles: "
        "signed by the registry, in no entry of the log."
    )
    said.append("Times: they are those of the registry's clock. The order of entries is proved.")
    if log is None and any(output.outcome is None for output in bundle.outputs):
        said.append(
            "That outputs without an outcome have none in the log: a copy of it shows that (--log)."
        )
    if bundle.grants:
        said += (
            []
            if log is not None
            else [
                "That nothing else ended a grant: what is here is proved, that it is all is the "
                "registry's word. A copy of the log shows it (--log)."
            ]
        )
        said.append(
            "Who the parties are: the log holds references to them, and the registry says whose."
        )
        if bundle.form != FULL:
            said.append(
                "The terms of the grants and the names of the voices: left out of this form, only "
                "their digests and references are here."
            )
    if file is None:
        said.append("Any audio: no file was given to compare (--file).")
