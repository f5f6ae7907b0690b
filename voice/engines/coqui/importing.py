"""Importing a Piper voice that the user has."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consent.errors import InputError
from consent.files import storage_error, write_atomic
from voice.engines.base import Voice
from voice.engines.coqui import convert, library
from voice.engines.coqui.piper import read_piper_voice
from voice.models.card import ModelCard, forbids_commerce
from voice.models.integrity import digest_file, locked

if TYPE_CHECKING:
    from consent.home import Home

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_UNKNOWN = {"", "unknown", "none", "?"}


def import_piper_voice(
    onnx_path: Path,
    json_path: Path,
    home: Home,
    *,
    name: str,
    licence: str = "unknown",
    commercial: bool = False,
) -> Voice:
    """Convert a Piper voice of any quality and give it a card.

    The voice speaks afterwards as ``coqui:<name>``, one of several speakers as
    ``coqui:<name>#<speaker>``. The originals are not needed any more.

    Parameters
    ----------
    onnx_path, json_path
        The voice as its makers published it: ``NAME.onnx`` and ``NAME.onnx.json``.
    licence
        The voice's licence as its publisher states it, an SPDX identifier if possible.
    commercial
        Whether that licence, and that of the recordings, allows commercial use. Needs a
        licence. Without, the voice is refused for commercial work.

    Raises
    ------
    InputError
        A file is not a Piper voice, the name is unusable or taken, or commercial use is
        claimed without a licence.
    StorageError
        The home folder cannot be written.
    """
    licence = licence.strip()
    unknown = licence.lower() in _UNKNOWN
    if commercial and unknown:
        raise InputError(
            "commercial use was claimed for a voice whose licence is not known",
            hint="State the licence as its publisher does: --licence CC-BY-4.0",
        )
    if commercial and forbids_commerce(licence):
        raise InputError(
            f"commercial use was claimed for a voice under {licence}, which forbids it",
            hint="Leave out --commercial, or correct --licence.",
        )
    if not _NAME.fullmatch(name) or name == "joe":
        raise InputError(
            f"{name!r} cannot be the name of a voice",
            hint="Use letters, digits, dots, dashes and underscores; joe is taken.",
        )
    identifier = library.IMPORTED + name
    folder = home.models / identifier
    if (folder / convert.SETTINGS).is_file():
        raise InputError(
            f"there is already a voice called {name!r}",
            hint=f"Choose another name, or remove the folder {folder}.",
        )
    voice = read_piper_voice(onnx_path, json_path)
    with locked(home.models, identifier):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            convert.convert(voice, folder, source_sha256=digest_file(onnx_path))
            weights = folder / convert.WEIGHTS
            fields = {
                "id": identifier,
                "name": f"Piper voice {name}",
                "engine": library.ENGINE,
                "licence": "unknown" if unknown else licence,
                "commercial": "yes" if commercial else "unknown",
                "commercial_reason": "Whoever imported it did not state that it may.",
                "languages": [voice.language],
                "sha256": digest_file(weights),
                "size": weights.stat().st_size,
                "training_data": "unknown; see what the voice's publisher says",
                "notes": f"Imported from {onnx_path.name}, {voice.sample_rate} Hz.",
                "source": [
                    {
                        "kind": "file",
                        "distribution": onnx_path.name,
                        "files": [convert.WEIGHTS, convert.CONFIG, convert.SETTINGS],
                    }
                ],
            }
            if commercial:
                del fields["commercial_reason"]
            write_card(folder, fields)
        except OSError as exc:
            shutil.rmtree(folder, ignore_errors=True)
            raise storage_error(exc, folder) from exc
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return library.require(name, home).voice


def write_card(folder: Path, fields: dict[str, Any]) -> ModelCard:
    """Write a card file; it appears complete or not at all."""
    import tomli_w

    card = ModelCard.from_mapping(fields, where=str(folder))
    write_atomic(folder / "card.toml", tomli_w.dumps(fields).encode("utf-8"))
    return card
