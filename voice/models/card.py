"""Model cards: what a model is, where its weights come from, and what its licence allows."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consent.errors import InputError


@dataclass(frozen=True, slots=True)
class Source:
    """Where a weight file comes from.

    Attributes
    ----------
    kind
        ``"wheel"`` (files of an installed distribution, joined in order), ``"file"`` (in the
        home's models folder) or ``"hub"`` (fetched by the engine's own library when asked).
    distribution
        Name of the distribution for ``"wheel"``, of the hub entry for ``"hub"``.
    files
        Paths inside it, in the order in which they are joined.
    """

    kind: str
    distribution: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model.

    Attributes
    ----------
    id
        Stable short name (``kokoro-82m``).
    sha256
        Lower-case hex digest of the joined weights; empty when it cannot be pinned (hub models).
    commercial
        ``"yes"``, ``"no"`` or ``"unknown"``; only ``"yes"`` may be used for commercial work.
    """

    id: str
    name: str
    engine: str
    licence: str
    licence_url: str
    commercial: str
    languages: tuple[str, ...]
    sha256: str
    size: int
    sources: tuple[Source, ...]
    training_data: str
    notes: str = ""
    homepage: str = ""

    @classmethod
    def from_toml(cls, path: Path) -> ModelCard:
        """Read a card file.

        Raises
        ------
        InputError
            The file is not TOML, or a field is missing or has the wrong type.
        """
        try:
            data = tomllib.loads(path.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise InputError(f"model card {path} is not valid TOML: {exc}") from exc
        return cls.from_mapping(data, where=str(path))

    @classmethod
    def from_mapping(cls, data: dict[str, Any], *, where: str) -> ModelCard:
        """Build a card from parsed TOML; `where` names it in errors."""
        try:
            commercial = str(data["commercial"])
            if commercial not in {"yes", "no", "unknown"}:
                raise InputError(
                    f"model card {where}: commercial is {commercial!r}",
                    hint='Write commercial = "yes", "no" or "unknown".',
                )
            return cls(
                id=str(data["id"]),
                name=str(data["name"]),
                engine=str(data["engine"]),
                licence=str(data["licence"]),
                licence_url=str(data.get("licence_url", "")),
                commercial=commercial,
                languages=tuple(data["languages"]),
                sha256=str(data.get("sha256", "")),
                size=int(data.get("size", 0)),
                sources=tuple(
                    Source(str(s["kind"]), str(s["distribution"]), tuple(s.get("files", ())))
                    for s in data.get("source", ())
                ),
                training_data=str(data["training_data"]),
                notes=str(data.get("notes", "")),
                homepage=str(data.get("homepage", "")),
            )
        except KeyError as exc:
            raise InputError(
                f"model card {where} lacks the field {exc.args[0]!r}",
                hint="See docs/models.md for the fields of a card.",
            ) from exc
