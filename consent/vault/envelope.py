"""Envelope encryption: the master key wraps a key for each person, which seals what is theirs.

Destroying a person's wrapped key makes everything sealed with it unreadable at once, copies
in forgotten places included, as long as the wrapped key is gone from there as well.

===========  ==========================================================================
wrapped key  base64 of: version 1, id of the master key (8 bytes), nonce (12), AES-256-GCM
sealed text  base64 of: version 1, nonce (12), AES-256-GCM under HKDF(person's key, "seal")
===========  ==========================================================================

The context ("profile:p01...", "grant:urn:uuid:...") is authenticated with every sealed text:
moved to another row, or to another person, it does not open.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from consent.errors import RefusedError, VerificationError
from consent.home import Home
from consent.vault.master import load_master_key, master_key_id

_VERSION = b"\x01"
_NONCE = 12
_TAG = 16
_WRAP_CONTEXT = b"vivavoce vault person key v1\0"
_SEAL_CONTEXT = b"vivavoce vault sealed v1\0"
_RESTORE = "Restore the registry and the keys from one backup: vivavoce keys restore FILE"


class Vault:
    """An open vault; holds the master key in memory and may be shared between threads.

    Parameters
    ----------
    master
        The master key, 32 bytes.

    Examples
    --------
    >>> vault = Vault(bytes(32))
    >>> wrapped = vault.new_person_key()
    >>> sealed = vault.seal(wrapped, b"Ada", context="profile:p1")
    >>> vault.open_(wrapped, sealed, context="profile:p1")
    b'Ada'
    """

    def __init__(self, master: bytes) -> None:
        if len(master) != 32:
            raise ValueError(f"a master key of {len(master)} bytes, expected 32")
        self._id = bytes.fromhex(master_key_id(master))
        self._wrapping = AESGCM(derive(master, b"wrap"))
        self._index = derive(master, b"index")

    @classmethod
    def open(cls, home: Home) -> Vault:
        """Open the vault of `home`; first use makes its master key.

        Raises
        ------
        StorageError
            The master key is lost or open to others.
        VerificationError
            It is another vault's, or its passphrase is wrong.
        """
        return cls(load_master_key(home))

    def new_person_key(self) -> str:
        """Return a fresh key for a person, wrapped: text to keep in ``person_keys.wrapped``."""
        nonce = secrets.token_bytes(_NONCE)
        sealed = self._wrapping.encrypt(nonce, secrets.token_bytes(32), _WRAP_CONTEXT + self._id)
        return base64.b64encode(_VERSION + self._id + nonce + sealed).decode()

    def person_key(self, wrapped: str) -> bytes:
        """Return a person's key, 32 bytes.

        Raises
        ------
        RefusedError
            It was destroyed: the person was erased.
        VerificationError
            The wrapped key was changed, or belongs to another vault.
        """
        if not wrapped:
            raise RefusedError(
                "this person was erased: their key is destroyed, and what it sealed is unreadable",
                hint="Nothing brings it back. What is on the log stays checkable.",
            )
        data = _decoded(wrapped, 1 + 8 + _NONCE + 32 + _TAG, "the wrapped key of a person")
        owner, nonce, sealed = data[1:9], data[9 : 9 + _NONCE], data[9 + _NONCE :]
        if owner != self._id:
            raise VerificationError(
                f"a person's key is wrapped with the master key {owner.hex()}, "
                f"this vault's is {self._id.hex()}",
                hint=_RESTORE,
            )
        try:
            return self._wrapping.decrypt(nonce, sealed, _WRAP_CONTEXT + owner)
        except InvalidTag as exc:
            raise VerificationError(
                "the wrapped key of a person was changed", hint=_RESTORE
            ) from exc

    def seal(self, wrapped: str, plaintext: bytes, *, context: str) -> str:
        """Encrypt `plaintext` for the person of `wrapped`; return text for a database column.

        Parameters
        ----------
        context
            What it is and whose, for instance ``"grant:urn:uuid:..."``; it must be given again
            to open it.

        Raises
        ------
        RefusedError
            The person was erased.
        """
        nonce = secrets.token_bytes(_NONCE)
        cipher = AESGCM(derive(self.person_key(wrapped), b"seal"))
        sealed = cipher.encrypt(nonce, plaintext, _SEAL_CONTEXT + context.encode())
        return base64.b64encode(_VERSION + nonce + sealed).decode()

    def open_(self, wrapped: str, sealed: str, *, context: str) -> bytes:
        """Return what :meth:`seal` encrypted.

        Raises
        ------
        RefusedError
            The person was erased.
        VerificationError
            It was changed, or is another person's or another row's.
        """
        cipher = AESGCM(derive(self.person_key(wrapped), b"seal"))
        data = _decoded(sealed, 1 + _NONCE + _TAG, f"the sealed {context}", exact=False)
        nonce, body = data[1 : 1 + _NONCE], data[1 + _NONCE :]
        try:
            return cipher.decrypt(nonce, body, _SEAL_CONTEXT + context.encode())
        except InvalidTag as exc:
            raise VerificationError(
                f"the sealed {context} was changed, or is another's", hint=_RESTORE
            ) from exc

    def index(self, text: str, label: str) -> str:
        """Return a keyed digest of `text`, 64 hex digits: finds a row without telling what of.

        Parameters
        ----------
        label
            What `text` is (``"handle"``): equal texts of different kinds look different.
        """
        message = label.encode() + b"\0" + text.encode()
        return hmac.new(self._index, message, hashlib.sha256).hexdigest()


def derive(key: bytes, purpose: bytes) -> bytes:
    """Return a key of 32 bytes for one purpose (HKDF-SHA256 of `key`)."""
    return HKDF(SHA256(), 32, salt=None, info=b"vivavoce vault v1 " + purpose).derive(key)


def _decoded(text: str, size: int, what: str, *, exact: bool = True) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise VerificationError(f"{what} is not base64", hint=_RESTORE) from exc
    if data[:1] != _VERSION or len(data) < size or (exact and len(data) > size):
        raise VerificationError(f"{what} is damaged ({len(data)} bytes)", hint=_RESTORE)
    return data
