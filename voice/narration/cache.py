"""The segment cache: what has been rendered is not rendered again.

Each entry is one rendered segment, encrypted with AES-256-GCM under a key of this home, so the
cache never holds a file that can be played: audio leaves through the seal alone. The name of an
entry is a digest of everything that shapes its sound; it is bound to the entry as associated
data, so entries cannot be swapped. A damaged entry is a miss and is removed.

Several processes may use one cache: entries appear by rename, and two writers of one name write
the same sound.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import struct
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from consent import keys
from consent.errors import ModelError
from consent.files import replacing, storage_error
from consent.home import Home

FloatArray = NDArray[np.float32]

#: Changes when the layout of entries or the meaning of the key changes.
FORMAT = 1
_MAGIC = b"VVSEG\x00\x00\x01"
# magic, sample rate, number of samples, scale, nonce
_HEADER = struct.Struct("<8sIIf12s")
_TAG = 16
_SUFFIX = ".seg"
#: A temporary file this old was left by a killed process.
_STALE_S = 3600.0
# What the cache makes, and so all that it ever removes: whoever puts its folder elsewhere, by a
# link or by hand, may have put it among other files.
_FOLDER = re.compile(r"[0-9a-f]{2}")
_ENTRY = re.compile(r"[0-9a-f]{64}\.seg")
_TEMPORARY = re.compile(r"\.[0-9a-f]{64}\..+\.tmp")


def segment_key(
    *, fingerprint: str, voice: str, spoken: str, language: str, speed: float, variation: int
) -> str:
    """Return the name of a segment in the cache: a digest of all that shapes its sound.

    Parameters
    ----------
    fingerprint
        The engine's digest of weights, code and precision; it fixes the sample rate too.
    voice
        Qualified voice name.
    """
    fields = [FORMAT, fingerprint, voice, spoken, language, repr(float(speed)), variation]
    text = json.dumps(fields, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class CacheSize:
    """Number of entries and the bytes they take."""

    entries: int
    size: int


class SegmentCache:
    """Rendered segments on disk, encrypted.

    Parameters
    ----------
    folder
        Where entries live; created with mode 0700.
    secret
        32 bytes, the AES-256 key.
    """

    def __init__(self, folder: Path, secret: bytes) -> None:
        if len(secret) != 32:
            raise ValueError(f"the cache key has {len(secret)} bytes instead of 32")
        self.folder = folder
        self._cipher = AESGCM(secret)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise storage_error(exc, folder) from exc

    @classmethod
    def open(cls, home: Home) -> SegmentCache:
        """Open the cache of a home; its key is made on first use."""
        return cls(home.cache / "segments", keys.secret(home, "cache"))

    def path(self, key: str) -> Path:
        """Return where the entry `key` is or would be."""
        return self.folder / key[:2] / f"{key}{_SUFFIX}"

    def get(self, key: str) -> tuple[FloatArray, int] | None:
        """Return samples and sample rate, or None when there is no sound entry.

        An entry that is truncated, damaged, moved from another name or encrypted under another
        key is removed.
        """
        path = self.path(key)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise storage_error(exc, path) from exc
        entry = self._decode(key, data)
        if entry is None:
            path.unlink(missing_ok=True)
            return None
        # Age counts from the last use, so that prune() removes what nobody needs.
        with contextlib.suppress(OSError):
            os.utime(path)
        return entry

    def _decode(self, key: str, data: bytes) -> tuple[FloatArray, int] | None:
        if len(data) < _HEADER.size + _TAG:
            return None
        magic, rate, count, scale, nonce = _HEADER.unpack_from(data)
        if magic != _MAGIC or len(data) != _HEADER.size + 2 * count + _TAG:
            return None
        header = data[: _HEADER.size]
        try:
            plain = self._cipher.decrypt(nonce, data[_HEADER.size :], header + key.encode())
        except InvalidTag:
            return None
        samples = np.frombuffer(plain, dtype="<i2").astype(np.float32)
        samples *= np.float32(scale)
        return samples, int(rate)

    def put(self, key: str, samples: FloatArray, rate: int) -> None:
        """Store a segment.

        Samples are kept as 16-bit integers scaled to the segment's own peak: the rounding error
        lies 98 dB below that peak.

        Raises
        ------
        ModelError
            The samples are not finite: the engine is broken.
        StorageError
            The disk is full or the folder cannot be written.
        """
        peak = float(np.abs(samples).max()) if samples.size else 0.0
        if not np.isfinite(peak):
            raise ModelError(
                "the engine produced samples that are not numbers",
                hint="Check the model: vivavoce models verify",
            )
        scale = float(np.float32(peak / 32767.0)) if peak > 0.0 else 1.0
        pcm = np.clip(np.rint(samples / np.float32(scale)), -32767, 32767).astype("<i2").tobytes()
        nonce = os.urandom(12)
        header = _HEADER.pack(_MAGIC, rate, samples.size, scale, nonce)
        sealed = self._cipher.encrypt(nonce, pcm, header + key.encode())
        path = self.path(key)
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
        except OSError as exc:
            raise storage_error(exc, path) from exc
        with replacing(path, mode=0o600) as stream:
            stream.write(header)
            stream.write(sealed)

    def remove(self, key: str) -> None:
        """Forget one entry."""
        self.path(key).unlink(missing_ok=True)

    def _entries(self) -> Iterator[tuple[Path, os.stat_result]]:
        """Yield the entries; on the way, remove what killed writers left behind."""
        stale = time.time() - _STALE_S
        for folder in self.folder.iterdir():
            if not _FOLDER.fullmatch(folder.name) or folder.is_symlink() or not folder.is_dir():
                continue
            for path in folder.iterdir():
                try:
                    status = path.lstat()
                except FileNotFoundError:
                    continue  # another process removed it
                if not stat.S_ISREG(status.st_mode):
                    continue
                if _ENTRY.fullmatch(path.name):
                    yield path, status
                elif _TEMPORARY.fullmatch(path.name) and status.st_mtime < stale:
                    path.unlink(missing_ok=True)

    def size(self) -> CacheSize:
        """Count entries and bytes."""
        sizes = [status.st_size for _, status in self._entries()]
        return CacheSize(len(sizes), sum(sizes))

    def prune(self, max_bytes: int, *, keep: Collection[str] = ()) -> int:
        """Remove the entries unused for longest until at most `max_bytes` are left.

        Parameters
        ----------
        keep
            Keys that stay in any case.

        Returns
        -------
        int
            Bytes freed.
        """
        entries = sorted(self._entries(), key=lambda entry: entry[1].st_mtime_ns)
        total = sum(status.st_size for _, status in entries)
        freed = 0
        for path, status in entries:
            if total - freed <= max_bytes:
                break
            if path.stem in keep:
                continue
            path.unlink(missing_ok=True)
            freed += status.st_size
        return freed
