"""Reading marks: from what the detector heard to spans with ids, and how sure each is.

1. Stretches that sound marked are cut into windows; each is searched for an id.
2. What stays without an id is searched again in longer windows, where repetitions add up.
3. One path through the whole stream says, for every 60 ms, whether there is no mark, a mark, or
   a mark that says one of the ids found; its changes are the boundaries of the spans.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.audio.pcm import FloatArray
from provenance.watermark import MarkReading, Span
from provenance.watermark.alignment import (
    Alignment,
    Found,
    alignments_tried,
    fold,
    search,
    word_sums,
)
from provenance.watermark.coding import ID_BITS, WORD_BITS, code, log_tail
from provenance.watermark.listen import STEP, Heard, listen
from provenance.watermark.model import Networks
from provenance.watermark.presence import CLIP, FRAMES_PER_S, Calibration, audible

FALSE_ID = 1e-9
"""An id is reported only if sound without one had no more than this chance of showing any."""

FALSE_MARK = 1e-3
"""The same, over the whole stream, for a mark without an id."""

MIN_ID_S = 3.0
"""Marked sound below is too short for an id: its code bits could not prove one."""

USUAL_ID_S = 8.0
"""From this length on an id can be expected after a change such as MP3."""

_BLOCK = 3  # frames of 20 ms: one step of the path
_WINDOWS_S = (16, 64, 256)
_SWITCH = 8.0  # nats that a change of state has to bring
_DOUBT = -0.1  # nats per frame that presence may speak against a proven id
_UNKNOWN = 0.002  # nats per frame by which an id has to be the better explanation of a mark
_MOST_IDS = 48
_ALIKE = 10  # frames whose bits say much the same
_AROUND = 5 * FRAMES_PER_S  # on either side: what a frame's level is compared with
_BIT_CLIP = 1.5  # many frames that agree are worth more than a few that are very sure
_HINT = 3.0  # nats for a mark somewhere in a window, below which it is not searched for an id


@dataclass(frozen=True, slots=True)
class Anchor:
    """An id that was found somewhere, where its words lie, and how well it was heard there.

    Attributes
    ----------
    slope
        Factor that makes of a bit's logit the logarithm of its odds.
    """

    output_id: str
    alignment: Alignment
    slope: float


def read(
    networks: Networks, calibration: Calibration, blocks: Iterable[FloatArray], rate: int
) -> MarkReading:
    """Look for marks in a stream of mono blocks at `rate` Hz.

    Samples that are NaN or infinite are read as silence, and a note says so.

    Raises
    ------
    InputError
        The blocks are not mono or the rate is none.
    """
    return interpret(listen(networks, blocks, rate), calibration)


def interpret(heard: Heard, calibration: Calibration) -> MarkReading:
    """Say which marks are in what was heard."""
    notes = []
    if heard.damaged:
        notes.append(f"{heard.damaged} samples are not numbers and were read as silence.")
    loud = audible(heard.level.astype(np.float32))
    if heard.duration_s < 0.2 or np.count_nonzero(loud) < 10:
        what = "silent" if heard.duration_s >= 0.2 else f"only {heard.duration_s:.2f} s long"
        notes.append(
            f"The sound is {what}: nothing can be said of a mark. It takes about one second of "
            f"speech, and {USUAL_ID_S:g} seconds for an id."
        )
        return MarkReading(False, None, 1.0, (), heard.duration_s, tuple(notes))
    evidence = calibration.evidence(heard.presence.astype(np.float32), loud)
    soft = _soft(heard)
    anchors, searched = _anchors(heard, soft, evidence, loud)
    spans = _spans(heard, soft, calibration, evidence, loud, anchors, searched)
    best = _main(spans)
    if spans and best is None:
        longest = max(span.end_s - span.start_s for span in spans)
        if longest < USUAL_ID_S:
            notes.append(
                f"The marked sound is too short for an id ({longest:.1f} s; an id needs "
                f"{MIN_ID_S:g} to {USUAL_ID_S:g} s)."
            )
        else:
            notes.append("There is a mark, but its id cannot be read.")
    return MarkReading(
        present=bool(spans),
        output_id=best,
        p_value=min((span.p_value for span in spans), default=1.0),
        spans=tuple(spans),
        duration_s=heard.duration_s,
        notes=tuple(notes),
    )


def _main(spans: list[Span]) -> str | None:
    """Return the id that covers most."""
    seconds: dict[str, float] = {}
    for span in spans:
        if span.output_id is not None:
            length = span.end_s - span.start_s
            seconds[span.output_id] = seconds.get(span.output_id, 0.0) + length
    return max(seconds, key=lambda key: seconds[key]) if seconds else None


def _soft(heard: Heard) -> FloatArray:
    """Return the bit logits of every frame, each frame counted by how marked and loud it is.

    The weighting was chosen on held-out speech: it leaves clean speech as it is and makes twice
    as much of speech in noise.
    """
    level = heard.level.astype(np.float32)
    power = np.concatenate([[0.0], np.cumsum(np.square(level, dtype=np.float64))])
    at = np.arange(level.size)
    right, left = np.minimum(at + _AROUND, level.size), np.maximum(at - _AROUND, 0)
    around = np.sqrt((power[right] - power[left]) / np.maximum(right - left, 1))
    loud = np.clip(level / np.maximum(around, 1e-6), 0.0, 3.0) ** 0.25
    seen = 1 / (1 + np.exp(-heard.presence.astype(np.float32)))
    bits = np.clip(heard.bits.astype(np.float32) / STEP, -_BIT_CLIP, _BIT_CLIP)
    soft: FloatArray = (bits * (loud * seen)[:, None]).astype(np.float32)
    return soft


def _marked_somewhere(total: NDArray[np.float64]) -> bool:
    """Tell whether some stretch, from its running totals of evidence, may be marked at all."""
    return float((total - np.minimum.accumulate(total)).max()) > _HINT


def _anchors(
    heard: Heard, soft: FloatArray, evidence: NDArray[np.float64], loud: NDArray[np.bool_]
) -> tuple[list[Anchor], int]:
    """Search windows for ids; return those found, and how many windows were tried."""
    explained = np.zeros(heard.frames, bool)
    anchors: list[Anchor] = []
    plan = _plan(heard.frames)
    marked = np.cumsum(np.concatenate([[0.0], evidence]))
    for first, last in plan:
        left = loud[first:last] & ~explained[first:last]
        if np.count_nonzero(left) < MIN_ID_S / 2 * FRAMES_PER_S or len(anchors) >= _MOST_IDS:
            continue
        if not _marked_somewhere(marked[first : last + 1]):
            continue
        open_frames = ~explained[first:last]
        found = search(soft[first:last] * open_frames[:, None], first)
        if found is None or found.log_p + math.log(len(plan)) > math.log(FALSE_ID):
            continue
        anchor = _anchor(soft, found, first, last)
        if not any(
            anchor.output_id == other.output_id
            and anchor.alignment.near(other.alignment, (first + last) / 2, code().words)
            for other in anchors
        ):
            anchors.append(anchor)
        fits = _fit(soft, anchor, first, last)
        explained[first:last] |= _smoothed(fits, FRAMES_PER_S) > 0
    return anchors, len(plan)


def _plan(frames: int) -> list[tuple[int, int]]:
    """Return the windows to search, the short ones first: each overlaps half of the next."""
    plan: list[tuple[int, int]] = []
    for seconds in _WINDOWS_S:
        length = seconds * FRAMES_PER_S
        for first in range(0, max(1, frames - length // 4), length // 2):
            window = (first, min(first + length, frames))
            if window not in plan[-1:]:
                plan.append(window)
        if length >= frames:
            break
    return plan


def _anchor(soft: FloatArray, found: Found, first: int, last: int) -> Anchor:
    """Make an anchor of an id, with the slope measured where it was found."""
    match = _match(soft, found.decoded.output_id, found.alignment, first, last)
    heard = match[np.abs(match).sum(1) > 0]
    slope = 2 * float(heard.mean()) / max(float(heard.var()), 1e-6)
    return Anchor(found.decoded.output_id, found.alignment, min(4.0, max(0.5, slope)))


def _match(
    soft: FloatArray, output_id: str, alignment: Alignment, first: int, last: int
) -> NDArray[np.float64]:
    """Return the frames' bits, positive where they say what the id's words say."""
    words = code().encode(output_id)
    return soft[first:last] * (2.0 * words[alignment.words(first, last, len(words))] - 1)


def _fit(soft: FloatArray, anchor: Anchor, first: int, last: int) -> NDArray[np.float64]:
    """Return by how many nats each frame's bits speak for an id against random bits."""
    match = _match(soft, anchor.output_id, anchor.alignment, first, last)
    odds = math.log(2) - np.logaddexp(0, -anchor.slope * match)
    nats: NDArray[np.float64] = odds.sum(1) / _ALIKE
    return nats


def _smoothed(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    return np.convolve(values, np.ones(min(length, values.size)), "same")


def _spans(
    heard: Heard,
    soft: FloatArray,
    calibration: Calibration,
    evidence: NDArray[np.float64],
    loud: NDArray[np.bool_],
    anchors: list[Anchor],
    searched: int,
) -> list[Span]:
    """Follow the best path through the stream; return its marked stretches."""
    steps = -(-heard.frames // _BLOCK)
    states = 2 + len(anchors)
    gain = np.zeros((steps, states), np.float32)
    marked = _per_block(evidence, steps)
    gain[:, 1] = marked
    for number, anchor in enumerate(anchors):
        fit = _fit(soft, anchor, 0, heard.frames) * loud
        # Bits that say a proven id outweigh a detector that would rather not call it marked.
        gain[:, 2 + number] = _per_block(fit + np.maximum(evidence, _DOUBT) - _UNKNOWN, steps)
    path = _best_path(gain)
    edges = np.flatnonzero(np.diff(path, prepend=-1, append=-1))
    spans = []
    for begin, end in itertools.pairwise(edges):
        state = int(path[begin])
        if state == 0:
            continue
        first, last = int(begin) * _BLOCK, min(int(end) * _BLOCK, heard.frames)
        said = anchors[state - 2] if state > 1 else None
        span = _span(heard, soft, calibration, loud, first, last, said, searched)
        if span is not None:
            spans.append(span)
    return _joined(spans)


def _per_block(values: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    padded = np.pad(values, (0, steps * _BLOCK - values.size))
    sums: NDArray[np.float64] = padded.reshape(steps, _BLOCK).sum(1)
    return sums


def _best_path(gain: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the state of each step on the path that gains most; changes of state cost."""
    steps, states = gain.shape
    stay = np.zeros((steps, states), bool)
    source = np.zeros(steps, np.intp)
    score = np.zeros(states)
    for step in range(steps):
        best = int(score.argmax())
        source[step] = best
        stay[step] = score >= score[best] - _SWITCH
        score = np.maximum(score, score[best] - _SWITCH) + gain[step]
        score -= score.max()
    path = np.zeros(steps, np.intp)
    state = int(score.argmax())
    for step in range(steps - 1, -1, -1):
        path[step] = state
        if not stay[step, state]:
            state = int(source[step])
    return path


def _span(
    heard: Heard,
    soft: FloatArray,
    calibration: Calibration,
    loud: NDArray[np.bool_],
    first: int,
    last: int,
    anchor: Anchor | None,
    searched: int,
) -> Span | None:
    """Judge one stretch; None if it proves nothing."""
    asked = heard.presence[first:last][loud[first:last]].astype(np.float32)
    if not asked.size:
        return None
    cut = np.clip(asked, -CLIP, CLIP)
    windows = max(1.0, int(np.count_nonzero(loud)) / asked.size)
    p_value = min(1.0, calibration.p_value(float(cut.mean()), asked.size) * windows)
    output_id, corrected = None, 0
    if anchor is not None:
        log_p, wrong = _proof(soft[first:last], first, anchor)
        tries = ID_BITS * math.log(2) + math.log(alignments_tried(code().words) * searched)
        # A piece of what was proven elsewhere is only to be known again: no id was looked for.
        for tried in (tries, math.log(_MOST_IDS * windows)):
            if log_p + tried <= math.log(FALSE_ID):
                output_id, corrected = anchor.output_id, wrong
                p_value = min(p_value, math.exp(max(log_p + tried, -700)))
                break
    if output_id is None and p_value > FALSE_MARK:
        return None
    presence = 1 / (1 + np.exp(-asked.astype(np.float64)))
    return Span(
        start_s=round(first / FRAMES_PER_S, 2),
        end_s=round(min(last / FRAMES_PER_S, heard.duration_s), 2),
        presence=round(float(presence.mean()), 4),
        output_id=output_id,
        p_value=p_value,
        corrected_bits=corrected,
    )


def _proof(soft: FloatArray, first: int, anchor: Anchor) -> tuple[float, int]:
    """Return how improbable this id's match in a stretch is by chance, and its wrong bits."""
    total = np.concatenate([np.zeros((1, WORD_BITS)), np.cumsum(soft, axis=0, dtype=np.float64)])
    words = code().encode(anchor.output_id)
    shift = round((first - anchor.alignment.start) / anchor.alignment.word)
    offset = anchor.alignment.start + shift * anchor.alignment.word - first
    folded = fold(word_sums(total, offset, anchor.alignment.word), shift, len(words))
    match = folded * (2.0 * words - 1)
    log_p = log_tail(np.abs(match).ravel(), float(match.sum()))
    return log_p, int(np.count_nonzero(match < 0))


def _joined(spans: list[Span]) -> list[Span]:
    """Join neighbours that say the same."""
    joined: list[Span] = []
    for span in spans:
        last = joined[-1] if joined else None
        if last and last.output_id == span.output_id and span.start_s - last.end_s < 0.5:
            length, more = last.end_s - last.start_s, span.end_s - span.start_s
            joined[-1] = Span(
                start_s=last.start_s,
                end_s=span.end_s,
                presence=round(
                    (last.presence * length + span.presence * more) / (length + more), 4
                ),
                output_id=last.output_id,
                p_value=min(last.p_value, span.p_value),
                corrected_bits=last.corrected_bits + span.corrected_bits,
            )
        else:
            joined.append(span)
    return joined
