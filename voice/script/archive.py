"""A ZIP archive that may be hostile: bounded sizes, sane names, clear errors."""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from typing import Self
from urllib.parse import unquote, urlsplit

from consent.errors import InputError

MAX_MEMBERS = 20_000
MAX_MEMBER_BYTES = 96 << 20
MAX_TOTAL_BYTES = 2 << 30
MAX_RATIO = 200
"""Uncompressed to compressed; deflate cannot pass 1032, and text rarely passes 20."""
RATIO_FLOOR = 4 << 20
"""Members smaller than this may have any ratio: blank pages compress very well."""


class Archive:
    """The members of a ZIP file, read one at a time within limits.

    Parameters
    ----------
    data
        The whole file.
    name
        What to call it in errors.

    Raises
    ------
    InputError
        Not a ZIP file, damaged, too large when unpacked, encrypted, or with member names that
        point outside the archive.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError) as exc:
            raise InputError(
                f"{name}: the ZIP archive is damaged: {exc}",
                hint="Download or copy the book again.",
            ) from exc
        self._members: dict[str, zipfile.ZipInfo] = {}
        self._folded: dict[str, str] = {}
        self._admit()

    def _admit(self) -> None:
        infos = self._zip.infolist()
        if len(infos) > MAX_MEMBERS:
            raise InputError(
                f"{self.name}: {len(infos)} files in the archive, more than {MAX_MEMBERS}",
                hint="This is not an ordinary book; it was not opened.",
            )
        total = 0
        for info in infos:
            path = info.filename.replace("\\", "/")
            if path.startswith("/") or ".." in path.split("/") or "\x00" in path:
                raise InputError(
                    f"{self.name}: the file name {info.filename!r} points outside the archive",
                    hint="The archive was made to do harm or is badly damaged; it was not opened.",
                )
            if info.is_dir():
                continue
            total += info.file_size
            ratio = info.file_size / max(1, info.compress_size)
            if info.file_size > RATIO_FLOOR and ratio > MAX_RATIO:
                raise InputError(
                    f"{self.name}: {path} unpacks to {ratio:.0f} times its size",
                    hint="It looks like a ZIP bomb; it was not opened.",
                )
            self._members[path] = info
            self._folded.setdefault(path.casefold(), path)
        if total > MAX_TOTAL_BYTES:
            raise InputError(
                f"{self.name}: unpacks to {total >> 20} MiB, more than {MAX_TOTAL_BYTES >> 20}",
                hint="It looks like a ZIP bomb; it was not opened.",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._zip.close()

    def names(self) -> list[str]:
        """Return the member names in the order of the archive."""
        return list(self._members)

    def find(self, path: str) -> str | None:
        """Return the member called `path`, ignoring case if need be, or None."""
        if path in self._members:
            return path
        return self._folded.get(path.casefold())

    def read(self, path: str) -> bytes:
        """Return the bytes of a member.

        Raises
        ------
        InputError
            The member is missing, encrypted, damaged or too large.
        """
        member = self.find(path)
        if member is None:
            raise InputError(f"{self.name}: {path} is missing from the archive")
        info = self._members[member]
        if info.flag_bits & 0x1:
            raise InputError(
                f"{self.name}: {path} is encrypted with a password",
                hint="Remove the password first.",
            )
        if info.file_size > MAX_MEMBER_BYTES:
            raise InputError(
                f"{self.name}: {path} unpacks to {info.file_size >> 20} MiB, "
                f"more than {MAX_MEMBER_BYTES >> 20}"
            )
        try:
            with self._zip.open(info) as stream:
                data = stream.read(MAX_MEMBER_BYTES + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as exc:
            raise InputError(
                f"{self.name}: {path} cannot be unpacked: {exc}",
                hint="The archive is damaged: download or copy the book again.",
            ) from exc
        except RuntimeError as exc:  # zipfile raises it for encrypted members
            raise InputError(f"{self.name}: {path} cannot be unpacked: {exc}") from exc
        if len(data) > MAX_MEMBER_BYTES:
            raise InputError(f"{self.name}: {path} is larger than its directory entry says")
        return data


def resolve(base: str, href: str) -> tuple[str, str]:
    """Resolve `href`, found in member `base`, to a member path and a fragment.

    Remote addresses and paths that leave the archive give ``("", "")``.
    """
    try:
        parts = urlsplit(href.strip())
    except ValueError:
        return "", ""
    if parts.scheme or parts.netloc:
        return "", ""
    fragment = unquote(parts.fragment)
    if not parts.path:
        return base, fragment
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(base), unquote(parts.path)))
    if joined.startswith(("../", "/")) or joined == "..":
        return "", ""
    return joined, fragment
