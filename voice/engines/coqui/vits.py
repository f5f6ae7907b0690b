"""A converted Piper voice, loaded and ready to speak."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consent.errors import InputError, ModelError
from voice.engines.coqui import convert, tokens

if TYPE_CHECKING:
    import numpy as np

    from voice.engines.base import FloatArray

_TOKENS = 32
"""Token sequences are padded to a multiple of this: every new length costs preparation."""


class PiperSpeaker:
    """coqui's ``Vits`` with the weights and the phoneme table of a Piper voice.

    Parameters
    ----------
    folder
        A converted voice.
    quick
        Whether to reshape the network for speed; without, it is as coqui loads it.

    Raises
    ------
    ModelError
        The folder is damaged or was written by another version.
    """

    def __init__(self, folder: Path, *, quick: bool = True) -> None:
        import safetensors.torch
        import torch

        from voice.engines.coqui.shim import import_torchaudio

        import_torchaudio()
        from TTS.config import load_config

        try:
            settings: dict[str, Any] = json.loads((folder / convert.SETTINGS).read_bytes())
            self._model = convert.build(load_config(folder / convert.CONFIG))
            state = safetensors.torch.load_file(folder / convert.WEIGHTS)
            lacking, unknown = self._model.load_state_dict(state, strict=False)
            lacking = [name for name in lacking if convert.used_when_speaking(name)]
            if lacking or unknown:
                raise ValueError(f"weights do not fit: {[*lacking, *unknown][:3]}")
            self.sample_rate = int(settings["sample_rate"])
            self._ids = {p: tuple(ids) for p, ids in settings["phoneme_ids"].items()}
            self._language = str(settings["language"])
            self._espeak = str(settings["espeak_voice"])
            self._length_scale = float(settings["length_scale"])
            self._noise = (float(settings["noise_scale"]), float(settings["noise_w"]))
            self.speakers: dict[str, int] = dict(settings["speakers"])
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as exc:
            raise ModelError(
                f"the converted voice in {folder} is damaged: {exc}",
                hint=f"Remove the folder {folder}; it is made again, or import the voice again.",
            ) from exc
        self._model.eval()
        self._torch = torch
        if quick:
            from voice.engines.coqui.fast import quicken

            quicken(self._model, int(self._model.config.audio.hop_length))

    def phonemes(self, text: str) -> str:
        """Return the phonemes of `text`, in the voice's own accent."""
        return tokens.pronounce(text, language=self._language, espeak_voice=self._espeak)

    def coqui_ids(self, phonemes: str) -> list[int]:
        """Return the token ids that coqui's own tokenizer makes of `phonemes`."""
        ids: list[int] = self._model.tokenizer.text_to_ids(phonemes)
        return ids

    def speak(
        self, phonemes: str, *, seed: int, speed: float = 1.0, speaker: str | None = None
    ) -> FloatArray:
        """Speak phonemes; the same seed gives the same samples.

        Parameters
        ----------
        speaker
            Name of a speaker of the voice; None for the first, or the only one.

        Returns
        -------
        ndarray, shape (n,), float32
            Empty if there is nothing that sounds in `phonemes`.
        """
        ids = tokens.encode(phonemes, self._ids)
        if not ids:
            import numpy

            return numpy.zeros(0, numpy.float32)
        samples, _ = self.run(
            ids, seed=seed, noise=self._noise, pace=self._length_scale / speed, speaker=speaker
        )
        return samples

    def run(
        self,
        ids: list[int],
        *,
        seed: int = 0,
        noise: tuple[float, float] = (0.0, 0.0),
        pace: float = 1.0,
        speaker: str | None = None,
    ) -> tuple[FloatArray, np.ndarray[Any, Any]]:
        """Speak token ids.

        Parameters
        ----------
        noise
            Standard deviations of the latent and of the duration noise.
        pace
            Factor on all durations.

        Returns
        -------
        samples : ndarray, shape (n,), float32
        durations : ndarray, shape (len(ids),), float32
            Latent frames of each token.
        """
        torch = self._torch
        row = self._row(speaker)
        count = len(ids)
        padded = [*ids, *([0] * (-count % _TOKENS))]
        model = self._model
        model.inference_noise_scale, model.inference_noise_scale_dp = noise
        model.length_scale = pace
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            torch.manual_seed(seed)
            outputs = model.inference(
                torch.tensor([padded]),
                aux_input={
                    "x_lengths": torch.tensor([count]),
                    "d_vectors": None,
                    "speaker_ids": None if row is None else torch.tensor([row]),
                    "language_ids": None,
                    "durations": None,
                },
            )
        samples = outputs["model_outputs"].reshape(-1).numpy()
        return samples, outputs["durations"].reshape(-1)[:count].numpy()

    def _row(self, speaker: str | None) -> int | None:
        if not self.speakers:
            if speaker is not None:
                raise InputError(f"this voice has only one speaker, not {speaker!r}")
            return None
        if speaker is None:
            return min(self.speakers.values())
        if speaker not in self.speakers:
            raise InputError(
                f"this voice has no speaker {speaker!r}",
                hint=f"It has {', '.join(list(self.speakers)[:8])} ...",
            )
        return self.speakers[speaker]
