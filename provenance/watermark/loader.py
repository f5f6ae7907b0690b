"""Where watermark models come from: the wheel, a folder, or Meta's published checkpoints.

A model is a folder with ``generator.pth`` and ``detector.pth`` as audioseal writes them, and
``model.json``: its name, how far below the sound its mark stays, and what its detector says of
sound without a mark. Meta's files have no such card; theirs is built in.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import pickle
import warnings
from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consent.errors import ModelError
from consent.home import Home
from provenance.watermark.presence import Calibration

if TYPE_CHECKING:
    from provenance.watermark.model import AudioSealModel

SHIPPED = "vivavoce-nf8"
META = "facebook/audioseal"
NONE = "none"

WEIGHTS = Path(__file__).parent / "weights"
GENERATOR = "generator.pth"
DETECTOR = "detector.pth"
CARD = "model.json"

_META_FILES = {GENERATOR: "generator_base.pth", DETECTOR: "detector_base.pth"}
_META_CARDS = {GENERATOR: "audioseal_wm_16bits", DETECTOR: "audioseal_detector_16bits"}
_log = logging.getLogger(__name__)


def configured(home: Home) -> AudioSealModel | None:
    """Return the model that the configuration names; None where it names none.

    The weights that ship are asked for by name. They are an experiment: what their model card
    measures is not yet good enough to be put into every file.

    Raises
    ------
    ModelError
        The configuration names a model that is not there or does not load.
    """
    wanted = home.setting("watermark", "model")
    if wanted == NONE:
        _log.warning("watermark.model is %r: what is sealed here carries no watermark", NONE)
        return None
    return load(wanted, home) if wanted else None


def shipped() -> bool:
    """Whether this installation has the project's own weights."""
    return all((WEIGHTS / name).is_file() for name in (GENERATOR, DETECTOR, CARD))


def load(wanted: str, home: Home | None = None) -> AudioSealModel:
    """Load a model by name, or by the path of its folder.

    Parameters
    ----------
    wanted
        ``"vivavoce-nf8"``, ``"facebook/audioseal"`` or a folder.
    home
        Whose ``models/`` folder may hold Meta's files.

    Raises
    ------
    ModelError
        The model is unknown, not there, or damaged.
    """
    if wanted == META:
        return _load_meta(home)
    if wanted == SHIPPED and not shipped():
        raise ModelError(
            f"this installation has no weights of {SHIPPED!r}", hint="Install vivavoce again."
        )
    folder = WEIGHTS if wanted == SHIPPED else Path(wanted).expanduser()
    if not folder.is_dir():
        raise ModelError(
            f"there is no watermark model {wanted!r}",
            hint=f"Name {SHIPPED!r}, {META!r}, {NONE!r} or a folder with {GENERATOR} and "
            f"{DETECTOR}.",
        )
    stamps = tuple(_stamp(folder / name) for name in (GENERATOR, DETECTOR, CARD))
    return _load_folder(folder, stamps)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError:
        return (0, 0)
    return (state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4)
def _load_folder(folder: Path, stamps: tuple[tuple[int, int], ...]) -> AudioSealModel:
    # `stamps` are in the key of the cache: a file that was replaced is read again.
    from provenance.watermark.model import AudioSealModel, Networks

    card = _card(folder)
    detector_sha = sha256(folder / DETECTOR)
    said = card.get("detector_sha256", detector_sha)
    if said != detector_sha:
        raise ModelError(
            f"{folder / CARD} belongs to another detector",
            hint=f"Measure it anew: python -m provenance.watermark.calibrate {folder} --data DATA",
        )
    generator, detector = (_network(folder / name, name) for name in (GENERATOR, DETECTOR))
    presence = card.get("presence")
    return AudioSealModel(
        name=str(card.get("name") or f"local:{detector_sha[:12]}"),
        networks=Networks(generator, detector, card.get("margin_db")),
        calibration=Calibration() if presence is None else Calibration.from_json(presence),
    )


def _card(folder: Path) -> dict[str, Any]:
    path = folder / CARD
    if not path.is_file():
        return {}
    try:
        card = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise ModelError(f"the card {path} cannot be read: {exc}") from exc
    margin = card.get("margin_db") if isinstance(card, dict) else "?"
    if not (margin is None or isinstance(margin, int | float)):
        raise ModelError(f"the card {path} is not one of a watermark model")
    return dict(card)


def _load_meta(home: Home | None) -> AudioSealModel:
    from provenance.watermark.model import AudioSealModel, Networks

    paths = {name: _meta_file(name, home) for name in (GENERATOR, DETECTOR)}
    generator, detector = (
        _network(path, name, card=_META_CARDS[name]) for name, path in paths.items()
    )
    return AudioSealModel(META, Networks(generator, detector, None), Calibration())


def _meta_file(name: str, home: Home | None) -> Path:
    """Find one of Meta's files where a person or audioseal itself would have put it."""
    file = _META_FILES[name]
    url = f"/{META}/resolve/main/{file}"
    caches = [Path(os.environ[key]) for key in ("AUDIOSEAL_CACHE_DIR", "XDG_CACHE_HOME")
              if os.environ.get(key)]  # fmt: skip
    cache = (caches[0] if caches else Path("~/.cache").expanduser()) / "audioseal"
    places = [cache / hashlib.sha1(url.encode()).hexdigest()[:24], cache / file]
    if home is not None:
        places.insert(0, home.models / META.replace("/", "--") / file)
    for place in places:
        if place.is_file():
            return place
    raise ModelError(
        f"Meta's {file} is not on this machine",
        hint=f"Fetch it from https://huggingface.co{url} and put it at {places[0]}.",
    )


def _network(path: Path, name: str, card: str | None = None) -> Any:
    """Build one network from an audioseal checkpoint, without running code from the file.

    Parameters
    ----------
    card
        The audioseal card that describes it, for a checkpoint that holds no ``xp.cfg``.
    """
    os.environ.setdefault("NO_TORCH_COMPILE", "1")  # it would compile for every new length
    from audioseal import builder, loader
    from omegaconf import OmegaConf

    checkpoint = _unpickled(path)
    generating = name == GENERATOR
    kind: Any = builder.AudioSealWMConfig if generating else builder.AudioSealDetectorConfig
    try:
        settings: dict[str, Any] = {}
        if "xp.cfg" in checkpoint:
            plain = OmegaConf.to_container(OmegaConf.create(checkpoint["xp.cfg"]), resolve=False)
            assert isinstance(plain, dict)
            settings = {str(key): value for key, value in plain.items()}
        elif card is not None:
            plain = OmegaConf.to_container(loader.load_local_model_config(card))
            assert isinstance(plain, dict)
            settings = {str(k): value for k, value in plain.items() if k != "checkpoint"}
        config = loader.AudioSeal.parse_config(settings, config_type=kind, nbits=16)
        make: Any = builder.create_generator if generating else builder.create_detector
        model: Any = make(config)
        weights = checkpoint.get("best_state", checkpoint)
        weights = weights.get("model", weights)
        whole = {key: value.float() for key, value in weights.items()}
        with warnings.catch_warnings():  # audioseal folds Meta's weight norm by an old function
            warnings.simplefilter("ignore", FutureWarning)
            loader.load_state_dict(model, loader.convert_state_dict_for_scriptable_model(whole))
    except Exception as exc:  # audioseal, omegaconf and torch each raise their own
        raise ModelError(
            f"{path} is not an AudioSeal {'generator' if generating else 'detector'}: "
            f"{_first_line(exc)}"
        ) from exc
    bits = model.msg_processor.nbits if generating and model.msg_processor else None
    if (bits if generating else model.nbits) != 16:
        raise ModelError(f"{path} does not carry 16 bits", hint="Only such models carry an id.")
    return model.eval()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _unpickled(path: Path) -> dict[str, Any]:
    import torch

    try:
        with torch.serialization.safe_globals(_harmless()):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as exc:
        raise ModelError(f"{path} is missing") from exc
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError) as exc:
        raise ModelError(
            f"{path} is damaged or not a checkpoint: {_first_line(exc)}",
            hint="Get it again from where it came from.",
        ) from exc
    if not isinstance(found, dict):
        raise ModelError(f"{path} is not a checkpoint")
    return found


def _harmless() -> list[Any]:
    """Return the classes that Meta's training left in its checkpoints; none of them runs code."""
    import typing

    from omegaconf import DictConfig, ListConfig
    from omegaconf.base import ContainerMetadata, Metadata
    from omegaconf.nodes import AnyNode

    return [DictConfig, ListConfig, ContainerMetadata, Metadata, AnyNode, typing.Any, defaultdict,
            dict, list, int]  # fmt: skip


def sha256(path: Path) -> str:
    """Return the digest of a file of weights.

    Raises
    ------
    ModelError
        It is missing.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as exc:
        raise ModelError(f"{path} is missing: {exc.strerror}") from exc
