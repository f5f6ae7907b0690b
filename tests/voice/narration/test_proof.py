from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from consent.home import Home
from provenance.audio.containers import container
from provenance.rehearsal import encoded_peaks
from provenance.request import ChapterAudio
from voice.narration.master import ACX, MasteredChapter
from voice.narration.proof import LIMIT, prove

RATE = 24000


def chapter(seed: int, *, loud: float, ceiling: float) -> MasteredChapter:
    """Clicks and noise: what a codec likes least."""
    rng = np.random.default_rng(seed)
    count = RATE * 4
    samples = (rng.standard_normal(count) * loud).astype(np.float32)
    samples[:: RATE // 7] = 4 * loud

    def blocks() -> Iterator[np.ndarray]:
        return iter([samples])

    return MasteredChapter(blocks, count, RATE, target=replace(ACX, ceiling=ceiling))


def peaks(chapters: list[MasteredChapter], kind: str, home: Home) -> list[float]:
    return encoded_peaks(
        [ChapterAudio("", c.samples, c.blocks) for c in chapters],
        sample_rate=RATE,
        kind=container(kind),
        bitrate=None,
        home=home,
    )


def test_only_chapters_that_the_codec_pushes_over_the_limit_are_lowered(home: Home) -> None:
    made = [chapter(1, loud=0.4, ceiling=-3.2), chapter(2, loud=0.01, ceiling=-3.2)]
    before = peaks(made, "m4b", home)
    assert before[0] > LIMIT > before[1]
    told: list[float] = []
    after = prove(made, kind=container("m4b"), bitrate=None, home=home, progress=told.append)
    assert max(peaks(after, "m4b", home)) <= LIMIT
    assert after[0].target.ceiling < made[0].target.ceiling
    assert after[1] == made[1]
    assert max(told) == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3"])
def test_codecs_that_keep_the_peaks_need_no_trial(home: Home, kind: str) -> None:
    made = [chapter(1, loud=0.4, ceiling=-4.5)]
    after = prove(
        made, kind=container(kind), bitrate=None, home=home, progress=lambda _: pytest.fail()
    )
    assert after == made


def test_a_trial_leaves_no_file(home: Home) -> None:
    before = sorted(home.cache.rglob("*"))
    made = [chapter(1, loud=0.4, ceiling=-3.2)]
    prove(made, kind=container("m4b"), bitrate=None, home=home, progress=lambda _: None)
    assert sorted(home.cache.rglob("*")) == before
