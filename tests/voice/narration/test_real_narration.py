"""The whole way on real models: a short book, spoken by Kokoro, heard by Whisper."""

from __future__ import annotations

from pathlib import Path

import pytest
from narration_kit import playable

from consent.home import Home
from consent.registry import Registry
from provenance.audio.decode import opened_blocks, probe
from provenance.listening.asr import Transcriber
from provenance.verify import verify
from voice.narration import narrate
from voice.narration.checks import word_error_rate
from voice.script import make_plan, read_book

BOOK = """\
# The Lamp

It was a dark night, and the rain fell on the roofs of the city. Nobody was about.

"Sir?" said the boy. He had waited for nearly an hour beside the old stone bridge.

# The Morning

In the morning everything was different. The sun was shining, and the streets were dry.

Three hundred people came to see the lamp. They walked home quietly in the afternoon.
"""


@pytest.mark.slow
def test_a_short_book_is_spoken_checked_sealed_and_understood(
    home: Home, registry: Registry, tmp_path: Path
) -> None:
    source = tmp_path / "lamp.md"
    source.write_text(BOOK)
    plan = make_plan(read_book(source), narrator="kokoro:af_heart")
    target = tmp_path / "out" / "lamp.m4b"
    target.parent.mkdir()
    result = narrate(
        plan, output=target, home=home, registry=registry, workers=1, subtitles=("srt",)
    )
    assert result.complete
    assert result.check is not None
    assert result.check.wrong == ()
    assert result.check.word_error_rate is not None
    assert result.check.word_error_rate < 0.05
    (output,) = result.outputs
    assert output.problems == ()
    assert verify(target, home=home).status == "trusted"
    assert len(probe(target).chapters) == 2
    assert playable(home.root) == []
    with opened_blocks(target, mono=True) as (blocks, rate):
        import numpy as np

        heard = Transcriber.load(home).transcribe(np.concatenate(list(blocks)), rate, "en-US")
    written = " ".join(s.text for c in plan.chapters for s in c.segments)
    assert word_error_rate(written, heard.text, language="en") < 0.05
