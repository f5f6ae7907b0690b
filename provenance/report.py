"""What verification found, layer by layer, in words and as data."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provenance.manifest import read

#: Exit codes of ``vivavoce verify``, part of the interface. (Errors of the program itself, such as
#: a missing file, keep the codes of consent.errors.)
EXIT_CODES: Mapping[str, int] = {
    read.TRUSTED: 0,
    read.UNTRUSTED: 10,
    read.ALTERED: 11,
    read.ABSENT: 12,
    read.INVALID: 13,
}

CONFIRMED = "confirmed"
CONTRADICTED = "contradicted"
ABSENT = "absent"
INCONCLUSIVE = "inconclusive"
NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one layer of evidence says.

    Attributes
    ----------
    layer
        ``"manifest"``, ``"time"``, ``"receipt"``, ``"registry"``, ``"sound"`` or ``"watermark"``.
    status
        ``"confirmed"``, ``"contradicted"``, ``"absent"``, ``"inconclusive"`` or ``"not run"``.
    sentence
        The finding with its basis, for people.
    """

    layer: str
    status: str
    sentence: str

    def to_json(self) -> dict[str, str]:
        """Return the finding as JSON values."""
        return {"layer": self.layer, "status": self.status, "sentence": self.sentence}


@dataclass(frozen=True, slots=True)
class Report:
    """The result of verifying one file.

    Attributes
    ----------
    status
        ``"trusted"``: signed by somebody this home trusts, bytes unchanged, nothing contradicts.
        ``"untrusted"``: in order, but signed by somebody unknown here. ``"altered"``: the bytes are
        not those that were signed. ``"absent"``: no manifest. ``"invalid"``: a manifest that does
        not hold: expired, damaged, or contradicted by its own receipt.
    headline
        The status in a sentence.
    details
        What the manifest says, as data. Under any status but ``trusted`` these are claims of an
        unknown signer.
    """

    path: Path
    status: str
    headline: str
    findings: tuple[Finding, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """The exit code of ``vivavoce verify`` for this file."""
        return EXIT_CODES[self.status]

    @property
    def sentences(self) -> tuple[str, ...]:
        """The whole report in sentences, the headline first."""
        return (self.headline, *(finding.sentence for finding in self.findings))

    def finding(self, layer: str) -> Finding | None:
        """Return the first finding of a layer."""
        return next((f for f in self.findings if f.layer == layer), None)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "path": str(self.path),
            "status": self.status,
            "exit_code": self.exit_code,
            "headline": self.headline,
            "findings": [finding.to_json() for finding in self.findings],
            "details": self.details,
        }


def plain(value: object, limit: int = 200) -> str:
    """Return text from a stranger so that it can be shown: one line, no control characters.

    Direction overrides and escape sequences could make a terminal show something else than what
    is there.
    """
    text = "".join(
        " " if c in "\n\t" else c
        for c in str(value)
        if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    ).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def plain_data(value: Any, depth: int = 0) -> Any:
    """Return JSON data from a stranger with its texts made plain and its size bounded."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, bool | int | float) or value is None:
        return value
    if depth >= 4:
        return "…"
    if isinstance(value, Mapping):
        return {plain(k, 60): plain_data(v, depth + 1) for k, v in list(value.items())[:40]}
    if isinstance(value, list | tuple):
        return [plain_data(item, depth + 1) for item in value[:100]]
    return plain(value)
