"""Encrypting and decrypting all key files of a home at once.

A crash in the middle leaves some files encrypted and some not, which works: each says what it
is. Doing it again finishes it.
"""

from __future__ import annotations

from consent import keyfiles, keys, protection
from consent.errors import RefusedError
from consent.home import Home


def protect(home: Home, passphrase: str | None) -> int:
    """Encrypt all key files of `home`; keys made from now on are encrypted as well.

    Protecting again changes the passphrase, and finishes what a crash has left undone.

    Parameters
    ----------
    passphrase
        None to keep the protection key in the system's keyring.

    Returns
    -------
    int
        How many files were encrypted now.

    Raises
    ------
    InputError
        The passphrase is empty.
    VerificationError
        The present passphrase is wrong, or a key file is damaged.
    StorageError
        The disk or the keyring cannot be used.
    """
    with keys.changing(home):
        if protection.kind(home) == "none":
            wrapping = protection.begin(home, passphrase)
        else:
            protection.change(home, passphrase)
            wrapping = protection.protection_key(home) or b""
        return _convert(home, wrapping)


def unprotect(home: Home) -> int:
    """Decrypt all key files of `home`; return how many.

    Raises
    ------
    RefusedError
        They are not protected.
    InputError, VerificationError, StorageError
        The protection key cannot be had.
    """
    with keys.changing(home):
        if protection.kind(home) == "none":
            raise RefusedError(f"the keys of {home.root} are not protected")
        protection.protection_key(home)  # asked for before anything changes
        count = _convert(home, None)
        protection.end(home)
    return count


def opened_files(home: Home) -> dict[str, bytes | None]:
    """Return the key files of a protected home as they would be unprotected.

    Returns
    -------
    dict
        File names and contents; None for a file that an unprotected home does not have.
    """
    found: dict[str, bytes | None] = {"protection.json": None}
    for path in sorted(home.keys.iterdir()):
        if path.suffix == ".pem":
            found[path.name] = keys.encode(keys.parse(home, path), path.stem, None)
        elif path.suffix == ".wrapped":
            found[path.name] = None
            found[f"{path.stem}.secret"] = keys.read_secret(home, path.stem).hex().encode() + b"\n"
    return found


def _convert(home: Home, wrapping: bytes | None) -> int:
    """Encrypt or decrypt every key file that is not yet as it should be."""
    count = 0
    keyfiles.finish(home.keys)
    for path in sorted(home.keys.iterdir()):
        if path.suffix == ".pem" and keys.is_encrypted(keyfiles.read(path)) != (
            wrapping is not None
        ):
            keyfiles.supersede(path, keys.encode(keys.parse(home, path), path.stem, wrapping))
        elif path.suffix == (".wrapped" if wrapping is None else ".secret"):
            keys.write_secret(home, path.stem, keys.read_secret(home, path.stem), wrapping)
            keyfiles.destroy(path)
        else:
            continue
        count += 1
    return count
