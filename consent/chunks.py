"""Encrypted streams: AES-256-GCM in numbered chunks (the STREAM construction).

Each chunk's nonce is a random prefix (7 bytes), the chunk's number (4 bytes) and a flag on the
last one: chunks cannot be changed, swapped, left out or cut off without being noticed, and a
reader never sees a byte that was not checked. `header` is authenticated with every chunk.

Source: Hoang, Reyhanitabar, Rogaway and Vizár, "Online Authenticated-Encryption and its
Nonce-Reuse Misuse-Resistance" (2015).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import IO, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consent.errors import InputError, VerificationError

#: Bytes of a nonce's random part, and those that encryption adds to each chunk.
PREFIX = 7
TAG = 16


class Cipher:
    """The chunks' encryption.

    Parameters
    ----------
    key
        32 bytes, for this one stream.
    prefix
        :data:`PREFIX` random bytes.
    header
        What is authenticated with every chunk.
    chunk
        Bytes of plain text in a chunk.
    """

    def __init__(self, key: bytes, *, prefix: bytes, header: bytes, chunk: int) -> None:
        if len(prefix) != PREFIX or not 0 < chunk <= 1 << 26:
            raise ValueError("parameters out of range")
        self.chunk = chunk
        self._aead = AESGCM(key)
        self._prefix = prefix
        self._header = header

    def seal(self, number: int, data: bytes, *, last: bool) -> bytes:
        """Encrypt a chunk."""
        return self._aead.encrypt(self._nonce(number, last), data, self._header)

    def open(self, number: int, data: bytes, *, last: bool) -> bytes:
        """Decrypt a chunk; raises ``InvalidTag`` for one that is not as it was, or elsewhere."""
        return self._aead.decrypt(self._nonce(number, last), data, self._header)

    def _nonce(self, number: int, last: bool) -> bytes:
        if number >= 1 << 32:
            raise InputError(f"a stream of more than {(1 << 32) * self.chunk:,} bytes")
        return self._prefix + number.to_bytes(4, "big") + bytes([last])


class Sealer(io.RawIOBase):
    """A file-like object that encrypts what is written to it; closing it writes the last chunk."""

    def __init__(self, stream: IO[bytes], cipher: Cipher) -> None:
        self._stream = stream
        self._cipher = cipher
        self._buffer = bytearray()
        self._number = 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Encrypt `data`."""
        self._buffer += data
        while len(self._buffer) > self._cipher.chunk:  # at least one byte stays for the last
            self._emit(self._cipher.chunk, last=False)
        return len(data)

    def close(self) -> None:
        """Write the last chunk."""
        if not self.closed:
            self._emit(len(self._buffer), last=True)
        super().close()

    def _emit(self, size: int, *, last: bool) -> None:
        chunk = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._stream.write(self._cipher.seal(self._number, chunk, last=last))
        self._number += 1


class Opener(io.RawIOBase):
    """A file-like object that reads what :class:`Sealer` wrote.

    Parameters
    ----------
    stream
        At its first chunk; closed together with this object.
    explain
        Called with the number of bytes that were sound before a chunk that is not; returns the
        error to raise.
    """

    def __init__(
        self, stream: IO[bytes], cipher: Cipher, explain: Callable[[int], VerificationError]
    ) -> None:
        self._stream = stream
        self._cipher = cipher
        self._explain = explain
        self._number = 0
        self._ahead = stream.read(cipher.chunk + TAG)
        self._plain = b""
        if not self._ahead:
            raise explain(0)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, target: Any) -> int:
        """Read checked bytes; raises what `explain` returns."""
        while not self._plain and self._ahead:
            self._next()
        part, self._plain = self._plain[: len(target)], self._plain[len(target) :]
        target[: len(part)] = part
        return len(part)

    def close(self) -> None:
        """Close the stream below as well."""
        self._stream.close()
        super().close()

    def _next(self) -> None:
        current, self._ahead = self._ahead, self._stream.read(self._cipher.chunk + TAG)
        try:
            self._plain = self._cipher.open(self._number, current, last=not self._ahead)
        except InvalidTag as exc:
            raise self._explain(self._number * self._cipher.chunk) from exc
        self._number += 1
