"""Bringing back what :mod:`consent.backup` wrote."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO

from consent.backup import (
    CHUNK,
    FILES,
    FOLDERS,
    MAGIC,
    REGISTRY,
    RESTORED,
    BackupReport,
    cipher_of,
    entries_of,
    sqlite_file,
    time_of,
)
from consent.chunks import Opener
from consent.errors import RefusedError, StorageError, VerificationError, VivavoceError
from consent.files import storage_error
from consent.home import Home


def restore(home: Home, path: Path, passphrase: str, *, force: bool = False) -> BackupReport:
    """Bring back what :func:`backup` wrote; all of it or nothing.

    A log is never shortened: where the one that is here continues the backup's, it is kept,
    and the registry catches up with it when it is next opened (who was erased after the backup
    is erased again). Where it is lost, nobody knows what was logged after the backup: erase
    again whom you erased since. If the old home still exists somewhere, do not go on with both.

    Parameters
    ----------
    force
        Put aside keys, log and registry that are there now (into ``replaced-TIME`` in the
        home) instead of refusing.

    Raises
    ------
    VerificationError
        The passphrase is wrong, or the file is damaged or not a backup.
    RefusedError
        The home already has keys, a log or a registry, and `force` is not set.
    StorageError
        The file cannot be read, or the home cannot be written to.
    """
    path = Path(path)
    in_use = [p for p in _occupied(home) if p.exists()]
    if in_use and not force:
        raise RefusedError(
            f"the home {home.root} already has {', '.join(p.name for p in in_use)}",
            hint="Restore into an empty home (VIVAVOCE_HOME), or use --force to put these aside.",
        )
    with ExitStack() as stack:
        try:
            stream: IO[bytes] = stack.enter_context(path.open("rb"))
        except OSError as exc:
            raise StorageError(f"cannot read the backup {path}: {exc.strerror}") from exc
        staging = Path(
            stack.enter_context(tempfile.TemporaryDirectory(dir=home.root, prefix=".restore-"))
        )
        names, header = _unpack(stream, path, passphrase, staging)
        entries = entries_of(staging / "log")
        log_kept = bool(in_use) and _continues(home, staging)
        if log_kept:
            shutil.rmtree(staging / "log")
            shutil.copytree(home.log, staging / "log")
        try:
            (home.root / RESTORED).touch(mode=0o600)
            replaced = _put_aside(home) if in_use else None
            _put_in_place(home, staging)
        except OSError as exc:
            raise storage_error(exc, home.root) from exc
    return BackupReport(
        path,
        tuple(sorted(names)),
        REGISTRY in names,
        made=time_of(header),
        log_size=entries,
        replaced=replaced,
        log_kept=log_kept,
    )


def _continues(home: Home, staging: Path) -> bool:
    """Return whether the log of `home` is that of the backup, intact and gone on since."""
    from consent import keys
    from consent.log import LogReader, Verifier

    try:
        key = keys.load(Home(staging, home.registry_url, home.config), "log", "ed25519")
        origin = (staging / "log" / "checkpoint").read_text("utf-8").split("\n")[0]
        verifier = Verifier(origin, keys.raw_public(key))
        saved, found = LogReader(staging / "log", verifier), LogReader(home.log, verifier)
        before, now = saved.checkpoint(), found.verify()
        return now.size >= before.size and found.root(before.size) == before.root
    except (VivavoceError, OSError, ValueError):
        return False


def _occupied(home: Home) -> list[Path]:
    database = sqlite_file(home)
    keys = sorted(p for p in home.keys.iterdir() if p.suffix in (".pem", ".secret", ".wrapped"))
    return [*keys, home.log / "checkpoint", *([] if database is None else [database])]


def _unpack(
    stream: IO[bytes], path: Path, passphrase: str, staging: Path
) -> tuple[list[str], bytes]:
    if stream.readline(len(MAGIC)) != MAGIC:
        raise VerificationError(f"{path} is not a backup of vivavoce")
    header = stream.readline(4096).removesuffix(b"\n")

    def damage(sound: int) -> VerificationError:
        if sound == 0:
            return VerificationError(
                f"the passphrase does not open the backup {path}",
                hint="Check the passphrase. If it is right, the file is damaged.",
            )
        return VerificationError(f"the backup {path} is damaged or cut short after {sound:,} bytes")

    cipher = cipher_of(header, passphrase)
    reader = io.BufferedReader(Opener(stream, cipher, damage), CHUNK)
    names: list[str] = []
    try:
        with tarfile.open(fileobj=reader, mode="r|") as archive:
            for entry in archive:
                target = staging / _admitted(entry)
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                source = archive.extractfile(entry)
                assert source is not None
                with open(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as out:  # noqa: PTH123
                    shutil.copyfileobj(source, out)
                names.append(entry.name)
        while reader.read(CHUNK):  # the last chunk's flag says that nothing was cut off
            pass
    except tarfile.TarError as exc:
        raise VerificationError(f"the backup {path} is damaged: {exc}") from exc
    except OSError as exc:
        raise storage_error(exc, staging) from exc
    return names, header


def _admitted(entry: tarfile.TarInfo) -> PurePosixPath:
    name = PurePosixPath(entry.name)
    known = entry.name in FILES or (len(name.parts) > 1 and name.parts[0] in FOLDERS)
    if not entry.isreg() or name.is_absolute() or ".." in name.parts or not known:
        raise VerificationError(f"the backup holds {entry.name!r}, which does not belong there")
    return name


def _put_aside(home: Home) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = Path(tempfile.mkdtemp(dir=home.root, prefix=f"replaced-{stamp}-"))
    for name in (*FOLDERS, "config.toml"):
        if (home.root / name).exists():
            (home.root / name).rename(aside / name)
    database = sqlite_file(home)
    if database is not None:
        for suffix in ("", "-wal", "-shm"):
            file = database.with_name(database.name + suffix)
            if file.exists():
                file.rename(aside / f"{REGISTRY}{suffix}")
    return aside


def _put_in_place(home: Home, staging: Path) -> None:
    for name in FOLDERS:
        target = home.root / name
        if (staging / name).exists():
            if target.exists():
                _merge(staging / name, target)
            else:
                (staging / name).rename(target)
        else:
            target.mkdir(exist_ok=True, mode=0o700)
    if (staging / "config.toml").exists():
        (staging / "config.toml").replace(home.config_file)
    if (staging / REGISTRY).exists():
        (staging / REGISTRY).replace(sqlite_file(home) or home.root / REGISTRY)


def _merge(source: Path, target: Path) -> None:
    for file in source.rglob("*"):
        if file.is_file():
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.replace(place)
