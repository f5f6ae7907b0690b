"""Turning a Piper voice into a coqui-tts ``Vits`` checkpoint, once, offline.

A converted voice is a folder with three files: ``config.json`` (coqui's own ``VitsConfig``),
``model.safetensors`` (weights by coqui's names, weight-normalised as its module expects them)
and ``voice.json`` (what coqui's configuration has no place for: the phoneme table of the voice).
What training alone needs (posterior encoder, discriminator) is not in a Piper voice and not in
the checkpoint.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consent.errors import InputError
from consent.files import replacing, storage_error, write_atomic
from voice.engines.coqui.piper import PiperVoice

if TYPE_CHECKING:
    import torch

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
SETTINGS = "voice.json"
FORMAT = 2
"""Version of the converted form; a folder of another version is converted again."""

_TRAINING_ONLY = ("posterior_encoder.", "duration_predictor.post_", "disc.")
# coqui's inference leaves out the second flow of the stochastic duration predictor, as VITS does.
_UNUSED = ("duration_predictor.flows.1.",)


def used_when_speaking(name: str) -> bool:
    """Say whether a parameter of coqui's ``Vits`` takes part in inference."""
    return not name.startswith(_TRAINING_ONLY + _UNUSED)


def convert(voice: PiperVoice, folder: Path, *, source_sha256: str) -> None:
    """Write `voice` as a coqui checkpoint into the existing `folder`.

    Each file appears complete or not at all, and ``voice.json`` last: with it, the folder is
    complete.

    Raises
    ------
    InputError
        The voice's weights do not fit coqui's ``Vits``.
    StorageError
        The folder cannot be written.
    """
    import safetensors.torch

    config = _vits_config(voice)
    state = _state(voice, config)
    # Written to memory first: the library writes in place, and a checkpoint is 65 MB.
    data = safetensors.torch.save(state)
    try:
        with replacing(folder / WEIGHTS) as stream:
            stream.write(data)
        write_atomic(folder / CONFIG, config.to_json().encode("utf-8"))
        settings = {
            "format": FORMAT,
            "source_sha256": source_sha256,
            "weights_sha256": hashlib.sha256(data).hexdigest(),
            "sample_rate": voice.sample_rate,
            "language": voice.language,
            "espeak_voice": voice.espeak_voice,
            "phoneme_ids": {p: list(ids) for p, ids in voice.phoneme_ids.items()},
            "noise_scale": voice.noise_scale,
            "noise_w": voice.noise_w,
            "length_scale": voice.length_scale,
            "speakers": voice.speakers,
            "quality": voice.quality,
        }
        write_atomic(folder / SETTINGS, json.dumps(settings, indent=1).encode("utf-8"))
    except OSError as exc:
        raise storage_error(exc, folder) from exc


def converted(folder: Path, source_sha256: str) -> bool:
    """Say whether `folder` holds the finished conversion of a source with this digest."""
    try:
        settings: dict[str, Any] = json.loads((folder / SETTINGS).read_bytes())
        return (
            settings["format"] == FORMAT
            and settings["source_sha256"] == source_sha256
            and (folder / WEIGHTS).is_file()
            and (folder / CONFIG).is_file()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def build(config: Any) -> Any:
    """Build coqui's ``Vits`` for `config`, its weights not loaded yet."""
    from TTS.tts.models.vits import Vits

    return Vits(config)


def _vits_config(voice: PiperVoice) -> Any:
    from voice.engines.coqui.shim import import_torchaudio

    import_torchaudio()
    from TTS.config.shared_configs import BaseAudioConfig
    from TTS.tts.configs.shared_configs import CharactersConfig
    from TTS.tts.configs.vits_config import VitsArgs, VitsConfig

    hop = 1
    for rate in voice.architecture["upsample_rates_decoder"]:
        hop *= rate
    arguments = VitsArgs(
        **{k: v for k, v in voice.architecture.items() if k != "num_speakers"},
        init_discriminator=False,
        # One layer instead of sixteen: a Piper voice has no posterior encoder to fill it.
        num_layers_posterior_encoder=1,
        inference_noise_scale=voice.noise_scale,
        inference_noise_scale_dp=voice.noise_w,
        length_scale=voice.length_scale,
    )
    alphabet = _alphabet(voice)
    blank = alphabet[0] == "_"  # coqui puts its blank first, where Piper's pad sign is
    rows = voice.architecture.get("num_speakers", 0)
    names = {row: name for name, row in voice.speakers.items()}
    return VitsConfig(
        model_args=arguments,
        audio=BaseAudioConfig(
            sample_rate=voice.sample_rate, hop_length=hop, win_length=hop * 4, fft_size=hop * 4
        ),
        characters=CharactersConfig(
            characters_class="TTS.tts.utils.text.characters.Graphemes",
            characters=alphabet[1:] if blank else alphabet,
            punctuations="",
            pad=None,
            blank="_" if blank else None,
            is_unique=False,
            is_sorted=False,
        ),
        speakers=[names.get(row, f"speaker {row}") for row in range(rows)],
        phoneme_language=voice.espeak_voice or None,
        add_blank=blank,
        test_sentences=[],
    )


def _alphabet(voice: PiperVoice) -> str:
    """Return one character per token id, so that coqui's own tokenizer agrees."""
    free = 0xF0000  # private use: ids that no single character stands for
    letters = [chr(free + i) for i in range(voice.architecture["num_chars"])]
    for phoneme, ids in voice.phoneme_ids.items():
        if len(phoneme) == 1 and len(ids) == 1 and phoneme not in letters:
            letters[ids[0]] = phoneme
    return "".join(letters)


def _state(voice: PiperVoice, config: Any) -> dict[str, torch.Tensor]:
    """Return the weights under the names, and in the form, of coqui's module."""
    import torch

    model = build(config)
    state: dict[str, torch.Tensor] = {}
    left = dict(voice.tensors)
    for name, parameter in model.state_dict().items():
        if not used_when_speaking(name):
            continue
        plain, _, which = name.partition(".parametrizations.weight.")
        source = f"{plain}.weight" if which else name
        try:
            value = torch.from_numpy(voice.tensors[source])
        except KeyError:
            raise InputError(f"the Piper voice lacks the weights {source}") from None
        left.pop(source, None)
        if which == "original0":  # the length of each output channel's filter
            value = torch.linalg.vector_norm(value, dim=tuple(range(1, value.dim())), keepdim=True)
        if value.shape != parameter.shape and value.numel() == parameter.numel():
            value = value.reshape(parameter.shape)
        if value.shape != parameter.shape:
            raise InputError(
                f"the Piper voice's {source} has the shape {tuple(value.shape)}, "
                f"coqui's Vits wants {tuple(parameter.shape)}"
            )
        state[name] = value.contiguous().clone()
    unknown = [name for name in left if used_when_speaking(name)]
    if unknown:
        raise InputError(f"the Piper voice has weights that coqui's Vits does not: {unknown[:3]}")
    return state
