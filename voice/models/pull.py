"""Fetching a model from its hub: only when the user asks, with the licence agreed to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from consent.errors import InputError, ModelError, RefusedError
from consent.files import storage_error, write_atomic
from voice.models import integrity, weights
from voice.models.card import ModelCard

if TYPE_CHECKING:
    from consent.home import Home


def pull(card: ModelCard, home: Home, agree_licence: bool = False) -> Path:
    """Fetch the weights of a hub model into the home folder.

    The digest of every file is written down, so that :func:`voice.models.verify` can tell later
    whether something changed. The network is used by the engine's own library.

    Parameters
    ----------
    agree_licence
        The user has read the licence and agrees to it. Needed for every licence that does not
        plainly allow commercial use.

    Returns
    -------
    Path
        The model's folder.

    Raises
    ------
    InputError
        The model does not come from a hub.
    RefusedError
        The licence has to be agreed to first.
    ModelError
        No network, or the hub does not have the model.
    StorageError
        The models folder cannot be written.
    """
    from voice.engines import registry
    from voice.engines.base import PullsModels

    if {source.kind for source in card.sources} != {"hub"}:
        raise InputError(
            f"{card.id} does not come from a hub",
            hint="Its weights come with the package: vivavoce models verify " + card.id,
        )
    folder = home.models / card.folder
    if (folder / weights.PULLED).is_file():
        return weights.resolve(card, home)
    if card.commercial != "yes" and not agree_licence:
        reason = f" {card.commercial_reason}" if card.commercial_reason else ""
        raise RefusedError(
            f"{card.name} has a licence that limits what you may do with it: {card.licence}"
            f" {card.licence_url}.{reason}",
            hint=f"Read it; if you agree: vivavoce models pull {card.id} --agree-licence",
        )
    engine: object = registry.available().get(card.engine)
    if not isinstance(engine, PullsModels):
        raise ModelError(f"the engine {card.engine!r} of {card.id} cannot fetch models")
    with integrity.locked(home.models, card.folder):
        if (folder / weights.PULLED).is_file():  # another process was faster
            return folder
        _clear(folder)
        try:
            engine.pull(card, folder, agree_licence=agree_licence)
            files = {
                path.relative_to(folder).as_posix(): {
                    "size": path.stat().st_size,
                    "sha256": integrity.digest_file(path),
                }
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            }
            if not files:
                raise ModelError(f"the hub sent no files for {card.id}")
            record = {"id": card.id, "hub": card.sources[0].distribution, "files": files}
            write_atomic(folder / weights.PULLED, json.dumps(record, indent=1).encode())
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return folder


def _clear(folder: Path) -> None:
    """Start with an empty folder: what an interrupted pull left is not to be trusted."""
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    except OSError as exc:
        raise storage_error(exc, folder) from exc
