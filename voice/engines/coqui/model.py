"""Any coqui-tts model, loaded by coqui's own synthesizer."""

from __future__ import annotations

import contextlib
import os
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from consent.errors import InputError, ModelError

if TYPE_CHECKING:
    from voice.engines.base import FloatArray

TRUST = "VIVAVOCE_COQUI_TRUST"
"""Set to 1 to load checkpoints that can run code of their makers on this machine."""

# Models whose loaders in coqui-tts unpickle without restriction, whatever the caller wants.
_UNRESTRICTED = {"bark"}
_MARKUP = re.compile(r"\[([^\]\[]*)\]\([^()]*\)")


class CoquiModel:
    """A model of coqui-tts, with its vocoder if it needs one.

    Parameters
    ----------
    checkpoint, config
        Files of the model.
    vocoder
        Checkpoint and configuration of the vocoder, if it has one of its own.

    Raises
    ------
    ModelError
        The files do not fit, need something that is not installed, or hold code.
    """

    def __init__(
        self, checkpoint: Path, config: Path, vocoder: tuple[Path, Path] | None = None
    ) -> None:
        import torch

        from voice.engines.coqui.shim import import_torchaudio

        import_torchaudio()
        from TTS.config import load_config
        from TTS.utils import synthesizer

        trusted = os.environ.get(TRUST, "") == "1"
        try:
            kind = str(load_config(config).model)
            if kind in _UNRESTRICTED and not trusted:
                raise _unsafe(checkpoint)
            with _pickles_allowed() if trusted else contextlib.nullcontext():
                self._synthesizer = synthesizer.Synthesizer(
                    tts_checkpoint=checkpoint,
                    tts_config_path=config,
                    vocoder_checkpoint=None if vocoder is None else vocoder[0],
                    vocoder_config=None if vocoder is None else vocoder[1],
                    # Voices cloned from recordings lie there by default; they need consent.
                    voice_dir=checkpoint.parent / "no-cloned-voices",
                )
        except ModelError:
            raise
        except pickle.UnpicklingError as exc:
            raise _unsafe(checkpoint) from exc
        except Exception as exc:  # coqui raises whatever its parts do
            raise ModelError(
                f"coqui-tts cannot load the model {checkpoint}: {_reason(exc)}",
                hint=_hint(exc),
            ) from exc
        self._torch = torch
        self._pad = synthesizer.PAD_SILENCE_SAMPLES
        self._model = self._synthesizer.tts_model
        self.sample_rate = int(self._synthesizer.output_sample_rate)
        self._quicken(kind)

    def _quicken(self, kind: str) -> None:
        arguments = getattr(self._model.config, "model_args", None)
        if kind != "vits" or getattr(arguments, "encoder_sample_rate", None):
            return
        from voice.engines.coqui.fast import quicken

        quicken(self._model, int(self._model.config.audio.hop_length))

    @property
    def speakers(self) -> list[str]:
        """Names of the stock speakers; empty for a single speaker."""
        manager = getattr(self._model, "speaker_manager", None)
        return [] if manager is None else [str(name) for name in manager.speaker_names]

    @property
    def languages(self) -> list[str]:
        """Languages to choose from; empty for a model of one language."""
        manager = getattr(self._model, "language_manager", None)
        names = [] if manager is None else [str(name) for name in manager.language_names]
        return names if len(names) > 1 else []

    def speak(
        self,
        text: str,
        *,
        seed: int,
        language: str,
        speed: float = 1.0,
        speaker: str | None = None,
    ) -> FloatArray:
        """Speak `text`; the same seed gives the same samples.

        Inline pronunciations are not understood by these models: the written word is read.

        Raises
        ------
        InputError
            The model lacks the speaker or language, or cannot change its pace.
        """
        import numpy as np

        text = _MARKUP.sub(r"\1", text).strip()
        if not any(character.isalnum() for character in text):
            return np.zeros(0, np.float32)
        arguments = self._pace(speed)
        torch = self._torch
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            torch.manual_seed(seed)
            spoken = self._synthesizer.tts(
                text,
                speaker_name=self._speaker(speaker),
                language_name=self._language(language),
                split_sentences=False,
                **arguments,
            )
        # coqui ends every sentence with silence of its own; pauses are made elsewhere.
        samples = np.asarray(spoken[: -self._pad], dtype=np.float32)
        return np.clip(samples, -1.0, 1.0)

    def _pace(self, speed: float) -> dict[str, float]:
        if hasattr(self._model, "length_scale"):
            if not hasattr(self, "_own_pace"):
                self._own_pace = float(self._model.length_scale)
            self._model.length_scale = self._own_pace / speed
            return {}
        if "xtts" in type(self._model).__name__.lower():
            return {"speed": speed}
        if speed != 1.0:
            raise InputError(
                f"this model cannot speak at the speed {speed}", hint="Leave the speed at 1.0."
            )
        return {}

    def _speaker(self, name: str | None) -> str | None:
        known = self.speakers
        if name is None:
            return known[0] if known else None
        if name not in known:
            raise InputError(
                f"this model has no speaker {name!r}",
                hint=f"It has {', '.join(known[:8])} ..." if known else "It has only one.",
            )
        return name

    def _language(self, tag: str) -> str | None:
        known = self.languages
        if not known:
            return None
        wanted = tag.lower()
        for candidate in (wanted, wanted.split("-")[0]):
            for name in known:
                if name.lower() == candidate:
                    return name
        for name in known:  # "zh-CN" for "zh", "fr-fr" for "fr-CA"
            if name.lower().split("-")[0] == wanted.split("-")[0]:
                return name
        raise InputError(
            f"this model does not speak {tag!r}", hint=f"It speaks {', '.join(known)}."
        )


@contextlib.contextmanager
def _pickles_allowed() -> Iterator[None]:
    """Let coqui's loader unpickle freely: the user trusts the maker of the checkpoint."""
    from trainer import io

    before = io._WEIGHTS_ONLY
    io._WEIGHTS_ONLY = False
    try:
        yield
    finally:
        io._WEIGHTS_ONLY = before


def _unsafe(checkpoint: Path) -> ModelError:
    return ModelError(
        f"loading {checkpoint} would run code that its makers put into it; that is refused",
        hint=f"If you trust them, set {TRUST}=1.",
    )


def _reason(exc: Exception) -> str:
    text = str(exc).strip().splitlines()
    return f"{type(exc).__name__}: {text[0]}" if text else type(exc).__name__


def _hint(exc: Exception) -> str:
    if "espeak" in str(exc).lower():
        return "It needs the program espeak-ng, for instance: apt install espeak-ng"
    return "Check that config.json belongs to the checkpoint."
