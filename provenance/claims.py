"""What the files of a folder claim to be, for an auditor to hold against the receipts.

Nothing is judged here: a claim is what a manifest says, whoever signed it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from consent.audit.orphans import Claim
from consent.errors import InputError
from provenance.manifest.build import CONSENT
from provenance.manifest.read import read_manifest
from provenance.sniff import sniff

#: Files with these endings are looked at.
ENDINGS = frozenset({".m4b", ".m4a", ".mp4", ".mp3", ".wav", ".flac", ".aac", ".ogg", ".opus"})
# Reading a manifest takes memory in proportion to the file.
_MAX_BYTES = 4 << 30


def claims_in(folder: Path) -> Iterator[Claim]:
    """Yield what every audio file below `folder` claims, in the order of their paths.

    Links are not followed. A file that cannot be read, or has no manifest of this kind, claims
    nothing.

    Raises
    ------
    InputError
        `folder` is not a folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", hint="Name the folder that holds the files.")
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place) / name
            if path.suffix.lower() in ENDINGS and path.is_file() and not path.is_symlink():
                yield claim_of(path)


def claim_of(path: Path) -> Claim:
    """Return what one file claims."""
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            said = _consent(stream) if path.stat().st_size <= _MAX_BYTES else {}
    except OSError:
        return Claim(str(path), "", "")
    return Claim(
        path=str(path),
        output_id=_text(said.get("output")),
        sha256=digest,
        grants=tuple(_grants(said)),
        made_at=_time(said.get("created")),
    )


def _consent(stream: IO[bytes]) -> Mapping[str, Any]:
    mime = sniff(stream)
    if mime is None or mime == "other":
        return {}
    return read_manifest(stream, mime).assertion(CONSENT) or {}


def _grants(said: Mapping[str, Any]) -> Iterator[str]:
    voices = said.get("voices")
    for voice in voices if isinstance(voices, list) else ():
        grant = voice.get("grant") if isinstance(voice, Mapping) else None
        if isinstance(grant, Mapping) and (digest := _text(grant.get("sha256"))):
            yield digest


def _text(value: object) -> str:
    return value[:200] if isinstance(value, str) else ""


def _time(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
