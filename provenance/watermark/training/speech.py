"""Speech to train on: recordings in Debian packages, and our own engines.

No recording is part of this project. The packages are fetched by ``apt-get download`` from the
mirrors of the machine and unpacked beside the data set; their licences are in the ``copyright``
file each of them carries.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consent.errors import InputError, ModelError
from consent.files import replacing, write_atomic
from provenance.listening.activity import resample, speech_regions

RATE = 16_000

#: Debian package -> the folder inside it that holds sounds.
PACKAGES = {
    "asterisk-core-sounds-en-g722": "usr/share/asterisk/sounds",
    "asterisk-core-sounds-es-g722": "usr/share/asterisk/sounds",
    "asterisk-core-sounds-fr-g722": "usr/share/asterisk/sounds",
    "asterisk-core-sounds-it-g722": "usr/share/asterisk/sounds",
    "klettres-data": "usr/share/klettres",
    "ktuberling-data": "usr/share/ktuberling/sounds",
}

#: Never trained on, whoever speaks them; the others of a language are held out by speaker.
HELD_OUT_LANGUAGES = frozenset({"fr", "de"})
HELD_OUT_SPEAKERS = frozenset(
    {"asterisk/June", "kokoro/af_bella", "kokoro/bm_george", "kokoro/am_puck"}
)
HELD_OUT_ENGINES = frozenset({"coqui"})

_QUIET_PEAK = 0.005  # some prompts are silent files
_LONGEST_SHARED_PROMPT_S = 15.5  # each asterisk speaker has one of 16.2 s that is not speech


@dataclass(frozen=True)
class Recording:
    """One utterance.

    Attributes
    ----------
    name
        Path inside its package, or of a rendering ``engine/voice/number``.
    sha256
        Of the file it was read from.
    speaker, language
        Who speaks, as ``source/person``, and the ISO 639 code.
    samples : ndarray of int16, shape (n,)
        Mono at 16 kHz, silence at both ends removed.
    """

    name: str
    sha256: str
    speaker: str
    language: str
    samples: NDArray[np.int16]

    @property
    def held_out(self) -> bool:
        """Whether it serves validation only."""
        return (
            self.language in HELD_OUT_LANGUAGES
            or self.speaker in HELD_OUT_SPEAKERS
            or self.speaker.partition("/")[0] in HELD_OUT_ENGINES
        )


def fetch(folder: Path) -> None:
    """Download and unpack the Debian packages into `folder`, those that are not there yet.

    Raises
    ------
    InputError
        ``apt-get`` or ``dpkg`` is missing or fails, or asks for rights this user has not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for package, inner in PACKAGES.items():
        if (folder / package / inner).is_dir():
            continue
        try:
            subprocess.run(["apt-get", "download", package], cwd=folder, check=True,
                           capture_output=True, text=True)  # fmt: skip
            archive = sorted(folder.glob(f"{package}_*.deb"))[-1]
            subprocess.run(["dpkg", "-x", str(archive), str(folder / package)], check=True,
                           capture_output=True, text=True)  # fmt: skip
            archive.unlink()
        except (OSError, subprocess.CalledProcessError, IndexError) as exc:
            reason = getattr(exc, "stderr", "") or str(exc)
            raise InputError(
                f"the Debian package {package} cannot be fetched: {reason.strip()}",
                hint=f"Unpack it by hand into {folder / package} and run again.",
            ) from exc


def recordings(folder: Path) -> Iterator[Recording]:
    """Yield the utterances of the packages unpacked in `folder`, in order of their names."""
    for package, inner in PACKAGES.items():
        root = folder / package / inner
        for path in sorted(root.rglob("*")):
            if path.suffix not in {".g722", ".ogg", ".wav"} or "silence" in path.parts:
                continue
            who = _speaker(package, path.relative_to(root).parts)
            data = path.read_bytes()
            samples = _trimmed(_read(path))
            if samples is not None:
                name = f"{package}/{path.relative_to(folder / package)}"
                yield Recording(name, hashlib.sha256(data).hexdigest(), *who, samples)


def _speaker(package: str, parts: Sequence[str]) -> tuple[str, str]:
    """Return (speaker, language) from the folders: asterisk's are like ``en_US_f_Allison``."""
    if package.startswith("asterisk"):
        tag = parts[0].split("_")
        return f"asterisk/{tag[-1]}", tag[0]
    language = re.split(r"[_@]", parts[0])[0]
    # Varieties of a language are of one family of speakers: they are never split between
    # training and validation.
    return f"{package.removesuffix('-data')}/{language}", language


def _read(path: Path) -> NDArray[np.float32]:
    import av

    try:
        options: dict[str, Any] = {"metadata_errors": "replace"}
        if path.suffix == ".g722":
            options["format"] = "g722"
        with av.open(str(path), **options) as file:
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            frames = [f for frame in file.decode(audio=0) for f in resampler.resample(frame)]
            frames += resampler.resample(None)
            blocks = [frame.to_ndarray().reshape(-1) for frame in frames]
    except av.error.FFmpegError:
        return np.zeros(0, np.float32)
    if not blocks:
        return np.zeros(0, np.float32)
    return np.concatenate(blocks).astype(np.float32) / np.float32(32768)


def _trimmed(samples: NDArray[np.float32]) -> NDArray[np.int16] | None:
    """Return what is spoken, with a little air around it, or None if nobody speaks."""
    if not samples.size or np.abs(samples).max() < _QUIET_PEAK:
        return None
    if samples.size > _LONGEST_SHARED_PROMPT_S * RATE:
        return None
    # Letters and syllables are short: the detector of speech wants some silence around them.
    air = np.zeros(RATE // 4, np.float32)
    regions = speech_regions(np.concatenate([air, samples, air]), RATE, threshold=0.35)
    if not regions:
        return None
    start = max(0, round((regions[0][0] - 0.3) * RATE))
    stop = min(samples.size, round((regions[-1][1] - 0.2) * RATE))
    if stop - start < RATE // 8:
        return None
    spoken: NDArray[np.int16] = np.round(samples[start:stop] * 32767).astype(np.int16)
    return spoken


def sentences(text: str) -> list[str]:
    """Cut a text into sentences of 40 to 220 characters that any English voice can speak."""
    found = []
    for part in re.split(r"(?<=[.!?])\s+", re.sub(r"\s+", " ", text)):
        plain = part.strip(" \"'-%")
        if 40 <= len(plain) <= 220 and re.fullmatch(r"[A-Za-z0-9 ,.;:'?!-]+", plain):
            found.append(plain)
    return found


def synthesise(folder: Path, text: str, *, minutes: float, seed: int = 0) -> float:
    """Render sentences of `text` by all installed voices in turn, into ``folder/synthetic``.

    Engines are found by their entry points, as everywhere. What is there already counts, so
    that a run that was cut short goes on where it stopped.

    Returns
    -------
    float
        Minutes of speech now in the folder.

    Raises
    ------
    InputError
        `text` has no usable sentence.
    ModelError
        No engine is installed.
    """
    lines = sentences(text)
    if not lines:
        raise InputError("the text has no plain English sentence of 40 to 220 characters")
    rng = np.random.default_rng(seed)
    rng.shuffle(lines)
    engines = [point.load()() for point in metadata.entry_points(group="vivavoce.engines")]
    turns = [(engine, voice) for engine in engines for voice in engine.voices()]
    if not turns:
        raise ModelError("no voice is installed", hint="Try: vivavoce doctor")
    loaded: dict[str, Any] = {}
    total = sum(_rendered_samples(path) for path in (folder / "synthetic").rglob("*.npy"))
    for number, line in enumerate(lines * 8):
        if total >= minutes * 60 * RATE:
            break
        engine, voice = turns[number % len(turns)]
        path = folder / "synthetic" / engine.name / voice.name / f"{number:05d}.npy"
        if path.exists():
            continue
        if engine.name not in loaded:
            loaded[engine.name] = engine.load(threads=1)
        speaker = loaded[engine.name]
        spoken = speaker.synthesize(line, voice=voice.name, language=voice.languages[0])
        samples = np.round(np.clip(resample(spoken, speaker.sample_rate), -1, 1) * 32767)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as stream:
            np.save(stream, samples.astype(np.int16))
        note = {"text": line, "voice": voice.qualified, "language": voice.languages[0]}
        write_atomic(path.with_suffix(".json"), json.dumps(note).encode())
        total += samples.size
    return total / RATE / 60


def _rendered_samples(path: Path) -> int:
    return int(np.load(path, mmap_mode="r").size)


def renderings(folder: Path) -> Iterator[Recording]:
    """Yield what :func:`synthesise` left in ``folder/synthetic``, in order of the names."""
    for path in sorted((folder / "synthetic").rglob("*.npy")):
        note = json.loads(path.with_suffix(".json").read_text("utf-8"))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        engine, _, voice = note["voice"].partition(":")
        language = note["language"].partition("-")[0]
        name = "/".join(path.with_suffix("").parts[-3:])
        yield Recording(name, digest, f"{engine}/{voice}", language, np.load(path))
