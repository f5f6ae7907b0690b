"""The vault's master key: it wraps the keys of persons, and nothing else."""

from __future__ import annotations

import hashlib
from pathlib import Path

from consent import keys
from consent.errors import StorageError, VerificationError
from consent.files import read_limited, write_atomic
from consent.home import Home

#: The key's name in the home's ``keys`` folder.
NAME = "vault"

_MARKER = "master.id"


def load_master_key(home: Home) -> bytes:
    """Return the vault's master key, 32 bytes, made on first use.

    The vault remembers which key it was made with. A lost key is never replaced by a new one:
    that would bury every recording and name there is.

    Raises
    ------
    StorageError
        The key is lost, or others can read it.
    VerificationError
        The key is another vault's.
    """
    marker = home.vault / _MARKER
    known = _known(marker)  # first: whoever makes a key makes it before the marker
    if known and not keys.has_secret(home, NAME):
        raise StorageError(
            f"the vault's master key {home.keys / NAME}.secret is lost",
            hint="Restore it from a backup: vivavoce keys restore FILE. A new key opens nothing.",
        )
    key = keys.secret(home, NAME)
    found = master_key_id(key)
    if not known:
        write_atomic(marker, found.encode() + b"\n", mode=0o600)
    elif known != found:
        raise VerificationError(
            f"the vault {home.vault} was made with the master key {known}, this one is {found}",
            hint="Restore the right one from a backup: vivavoce keys restore FILE",
        )
    return key


def master_key_id(key: bytes) -> str:
    """Return the name of a master key: 16 hex digits that say nothing about it."""
    return hashlib.sha256(b"vivavoce vault master key\0" + key).hexdigest()[:16]


def _known(marker: Path) -> str:
    try:
        return read_limited(marker, 1024).decode("ascii").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as exc:
        raise StorageError(f"cannot read {marker}: {exc}") from exc
