"""Plans to narrate, and a look for files that should not be there."""

from __future__ import annotations

import os
from pathlib import Path

from voice.script.model import BlockKind, Plan, PlanChapter, Segment


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
            mpeg = head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE0 == 0xE0
            if head.startswith(MAGIC) or head[4:8] == b"ftyp" or mpeg:
                found.append(path)
    return sorted(found)
