"""What the log cannot hold and a crash must not take: kept aside until the database has it.

An entry of the log holds commitments, so a database that a crash left behind learns from it
that there is a party or a grant, and not what it says. Before the entry is appended, that is
written here, encrypted; when the database has it, it is removed:

- the rows of parties, keys and voices, which catching up with the log puts in their place;
- signed documents, which are taken in again when the registry is next opened. Taking one in
  twice is harmless.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consent import keys
from consent.canonical import canonical
from consent.errors import VivavoceError
from consent.files import storage_error, write_atomic
from consent.log.merkle import leaf_hash
from consent.registry.storage.tables import PartyKeyRow, PartyRow, PersonKeyRow, Table, VoiceRow

if TYPE_CHECKING:
    from consent.registry.storage.core import Core

#: More documents than this come from files, and can be handed in again from there.
MOST_DOCUMENTS = 100

_KINDS: dict[str, type[Table]] = {
    str(kind.__tablename__): kind for kind in (PartyRow, PersonKeyRow, PartyKeyRow, VoiceRow)
}
_ROWS, _DOCUMENTS = "rows", "documents"
_NONCE = 12


def keep_rows(core: Core, first: int, leaves: Sequence[bytes], rows: Sequence[Table]) -> None:
    """Keep the rows that come with `leaves`, the entries from the place `first` on."""
    kept = {
        "first": first,
        "leaves": [leaf_hash(leaf).hex() for leaf in leaves],
        "rows": [[str(row.__tablename__), row.model_dump(mode="json")] for row in rows],
    }
    _write(core, f"{_ROWS}-{first}", kept)


def rows_kept(core: Core, index: int, leaf: bytes) -> list[Table]:
    """Return the rows that belong behind the entry `leaf` at `index`, and are kept here.

    They come behind the last of the entries they were kept with, and only behind those.
    """
    for path in _files(core, _ROWS):
        kept = _read(core, path)
        if kept is None or kept["first"] + len(kept["leaves"]) - 1 != index:
            continue
        if kept["leaves"][-1] == leaf_hash(leaf).hex():
            return [_KINDS[name].model_validate(values) for name, values in kept["rows"]]
    return []


def clear_rows(core: Core) -> None:
    """Remove what is kept of rows: the database has them, or the log never got their entries."""
    for path in _files(core, _ROWS):
        path.unlink(missing_ok=True)


@contextmanager
def documents(core: Core, tokens: Sequence[str]) -> Iterator[None]:
    """Keep signed documents while they are taken in.

    They stay only if the block is cut short by something that is not an answer to them: a
    crash, a kill, a full disk.
    """
    if len(tokens) > MOST_DOCUMENTS:
        yield
        return
    path = _write(core, f"{_DOCUMENTS}-{secrets.token_hex(8)}", {"tokens": list(tokens)})
    try:
        yield
    except VivavoceError:
        path.unlink(missing_ok=True)
        raise
    path.unlink(missing_ok=True)


def documents_kept(core: Core) -> Iterator[list[str]]:
    """Yield the documents that an interrupted process left, and remove them afterwards."""
    for path in _files(core, _DOCUMENTS):
        kept = _read(core, path)
        if kept is not None:
            yield kept["tokens"]
        path.unlink(missing_ok=True)


def _files(core: Core, kind: str) -> list[Path]:
    try:
        return sorted(core.home.outbox.glob(f"{kind}-*"))
    except OSError as exc:
        raise storage_error(exc, core.home.outbox) from exc


def _write(core: Core, name: str, value: dict[str, Any]) -> Path:
    path = core.home.outbox / name
    nonce = os.urandom(_NONCE)
    sealed = _cipher(core).encrypt(nonce, canonical(value), name.encode())
    write_atomic(path, nonce + sealed, mode=0o600)
    return path


def _read(core: Core, path: Path) -> dict[str, Any] | None:
    """Return what a file holds; None if it is gone by now, or is not one of ours."""
    try:
        data = path.read_bytes()
        plain = _cipher(core).decrypt(data[:_NONCE], data[_NONCE:], path.name.encode())
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise storage_error(exc, path) from exc
    except (InvalidTag, ValueError):
        return None
    value: dict[str, Any] = json.loads(plain)
    return value


def _cipher(core: Core) -> AESGCM:
    return AESGCM(keys.secret(core.home, "outbox"))
