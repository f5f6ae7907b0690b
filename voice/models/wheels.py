"""Files that installed wheels carry."""

from __future__ import annotations

import base64
from importlib import metadata
from pathlib import Path

from consent.errors import ModelError
from voice.models.card import ModelCard


def parts(card: ModelCard) -> list[Path]:
    """Return the paths of the weight parts inside their installed distributions, in order.

    Raises
    ------
    ModelError
        A distribution is not installed, or it lacks the file.
    """
    return [wheel_file(card, s.distribution, name) for s in card.sources for name in s.files]


def companion(card: ModelCard, name: str) -> Path:
    """Return the path of a companion file inside its installed distribution.

    Raises
    ------
    ModelError
        The card has no such companion, or it is not installed.
    """
    for source in card.companions:
        for file in source.files:
            if Path(file).name == name:
                return wheel_file(card, source.distribution, file)
    raise ModelError(f"the card of {card.id} names no companion file {name}")


def wheel_file(card: ModelCard, distribution: str, name: str) -> Path:
    """Return the path of one file of an installed distribution.

    Raises
    ------
    ModelError
        The distribution is not installed, or it lacks the file.
    """
    try:
        found = metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        raise ModelError(
            f"{card.name} needs the package {distribution}, which is not installed",
            hint=f"Install it: pip install {distribution}",
        ) from None
    path = Path(str(found.locate_file(name)))
    if not path.is_file():
        raise ModelError(
            f"{card.name}: the package {distribution} lacks its file {name}",
            hint=reinstall([distribution]),
        )
    return path


def reinstall(distributions: list[str]) -> str:
    """Say how to repair damaged packages."""
    names = " ".join(dict.fromkeys(distributions))
    return f"Install it again: pip install --force-reinstall --no-deps {names}"


def recorded_digest(distribution: str, name: str) -> str | None:
    """Return the digest that the wheel's RECORD has for a file, in hex."""
    try:
        files = metadata.distribution(distribution).files or ()
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.as_posix() == name and file.hash is not None and file.hash.mode == "sha256":
            value = file.hash.value
            return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).hex()
    return None
