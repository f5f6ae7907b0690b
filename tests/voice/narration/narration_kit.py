"""An engine that hums, plans to narrate, and a look for files that should not be there."""

from __future__ import annotations

import os
from pathlib import Path

from consent.errors import InputError
from provenance.audio.decode import probe
from voice.script.model import BlockKind, Plan, PlanChapter, Segment

ENGINE = '''
"""Speaks by humming: every syllable a pulse, the pitch made from the text."""
import hashlib, os, signal, time
from dataclasses import replace
from pathlib import Path
import numpy as np
from consent.errors import InputError
from voice.engines.base import Voice
from voice.models.card import ModelCard

RATES = {"alto": 24000, "bass": 22050, "quiet": 24000}


class Synthesizer:
    sample_rate = 24000

    def synthesize(self, text, *, voice, language, speed=1.0, variation=0):
        folder = Path(os.environ["TONE_FOLDER"])
        with (folder / "started.log").open("a") as log:
            log.write(f"{os.getpid()}\\t{variation}\\t{text}\\n")
        time.sleep(float(os.environ.get("TONE_DELAY", "0")))
        if "[hang]" in text:
            time.sleep(1000)
        if "[refuse]" in text:
            raise InputError(f"cannot speak {text!r}")
        if "[raise]" in text:
            raise RuntimeError("boom")
        if "[die]" in text or ("[die once]" in text and not (folder / "died").exists()):
            (folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if "[mute]" in text:
            return np.zeros(0, dtype=np.float32)
        rate = self.sample_rate
        if "[short]" in text and variation == 0:
            text = text[:10]
        count = int(rate * (0.3 + 0.06 * len(text)) / speed)
        pitch = 110 + int(hashlib.sha256(text.encode()).hexdigest()[:4], 16) % 110 + 7 * variation
        time_s = np.arange(count) / rate
        tone = sum(np.sin(2 * np.pi * pitch * k * time_s) / k for k in (1, 2, 3, 5))
        hum = 0.15 * tone * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * time_s))
        edge = np.zeros(rate // 5)
        gain = 0.3 if voice == "quiet" else 1.0
        return np.concatenate([edge, gain * hum, edge]).astype(np.float32)


class Low(Synthesizer):
    sample_rate = 22050


class Engine:
    name = "tone"
    version = "1"

    def cards(self):
        return [ModelCard(id="tone", name="Tone", engine="tone", licence="Apache-2.0",
                licence_url="", commercial="yes", languages=("en",), sha256="", size=0,
                sources=(), training_data="none: it hums")]

    def voices(self):
        return [Voice(n, self.name, ("en-US",), "unspecified", self.model, "Apache-2.0", True)
                for n in ("alto", "quiet")]

    model = "tone"

    def fingerprint(self, voice):
        broken = os.environ.get("TONE_FINGERPRINT")
        if broken is not None:
            return {"none": None, "empty": ""}[broken]
        return f"tone-{os.environ.get('TONE_VERSION', '1')}-{voice}"

    def load(self, *, threads=1):
        return Synthesizer()


class Usurper(Engine):
    """Offers a model that ships with the program, under a card of its own."""

    name = "usurper"
    model = "kokoro-82m"

    def cards(self):
        return [replace(super().cards()[0], id=self.model, engine=self.name)]

    def fingerprint(self, voice):
        return "usurper"


class LowEngine(Engine):
    name = "low"
    model = "low-tone"

    def cards(self):
        return [ModelCard(id="low-tone", name="Low tone", engine="low", licence="CC-BY-NC-4.0",
                licence_url="", commercial="no", languages=("en",), sha256="", size=0,
                sources=(), training_data="none: it hums")]

    def voices(self):
        return [Voice("bass", "low", ("en-US",), "unspecified", "low-tone", "CC-BY-NC-4.0", False)]

    def load(self, *, threads=1):
        return Low()
'''


class ToneFolder:
    """Where the engine logs what it was asked."""

    def __init__(self, path: Path, package: Path) -> None:
        self.path = path
        self.package = package

    def spoken(self) -> list[tuple[int, str]]:
        """(variation, text) of every rendering begun so far."""
        log = self.path / "started.log"
        if not log.exists():
            return []
        rows = [line.split("\t", 2) for line in log.read_text().splitlines()]
        return [(int(variation), text) for _, variation, text in rows]


def make_plan(
    *chapters: list[str], narrator: str = "tone:alto", title: str = "The Book", **fields: object
) -> Plan:
    """A plan of the sentences given; ``"VOICE| text"`` gives a voice."""
    made = []
    for number, sentences in enumerate(chapters, start=1):
        segments = []
        for ordinal, sentence in enumerate(sentences, start=1):
            voice, _, text = sentence.rpartition("| ")
            segments.append(
                Segment(
                    id=f"{number}.{ordinal}",
                    kind=BlockKind.PARAGRAPH,
                    text=text,
                    spoken=text,
                    language="en-US",
                    voice=voice or None,
                    pause_after=0.4,
                )
            )
        made.append(PlanChapter(number, f"Part {number}", tuple(segments)))
    return Plan(
        title=title,
        authors=("A. Writer",),
        language="en-US",
        narrator=narrator,
        chapters=tuple(made),
        **fields,  # type: ignore[arg-type]
    )


MAGIC = (b"RIFF", b"fLaC", b"ID3", b"OggS", b"FORM", b"RF64")


def playable(folder: Path) -> list[Path]:
    """Every file below `folder` that begins like an audio file."""
    found = []
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root) / name
            try:
                with path.open("rb") as stream:
                    head = stream.read(12)
            except OSError:
                continue
            if head.startswith(MAGIC) or head[4:8] == b"ftyp" or _mpeg(path, head):
                found.append(path)
    return sorted(found)


def _mpeg(path: Path, head: bytes) -> bool:
    """Eleven set bits begin an MPEG frame, and now and then a digest: ask a decoder."""
    if head[:1] != b"\xff" or len(head) < 2 or head[1] & 0xE0 != 0xE0:
        return False
    try:
        probe(path)
    except InputError:
        return False
    return True
