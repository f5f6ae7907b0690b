"""The judgement on one segment: what several hearings of it, taken together, show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.listening.asr import Word
from voice.narration.alignment import Agreement, Stretch, align, sounds_alike
from voice.narration.wording import words_of

FloatArray = NDArray[np.float32]

SUPPORT = 0.02
"""A word in whose place another was heard counts as said from this probability on."""

SUPPORT_LACKING = 0.5
"""The same for a word in whose place nothing was heard: what is likely to come next is given
some probability even where the sound has ended."""


UNEXPLAINED_SECONDS = 0.7
"""More sound than this at one word is not that word alone; clean speech stays under 0.4 s."""

SECONDS_PER_LETTER = 0.07
"""A slow reader's pace."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The time from the start of one word to the start of the next.

    Attributes
    ----------
    word
        Index of the word.
    seconds
        Sound in it beyond what the word explains.
    start, end
        In seconds.
    """

    word: int
    seconds: float
    start: float
    end: float


def unexplained(samples: FloatArray, rate: int, words: Sequence[Word]) -> Slot:
    """Return the slot with most sound that its word does not explain.

    Sound is every 10 ms less than 24 dB below the level of the whole.
    """
    length, step = samples.size / rate, max(1, rate // 100)
    count = samples.size // step
    if not words or not count:
        return Slot(0, 0.0, 0.0, length)
    frames = samples[: count * step].reshape(count, step).astype(np.float64)
    power = np.einsum("ij,ij->i", frames, frames)
    loud = np.concatenate([[0], np.cumsum(power > 0.004 * power.mean())])
    slots = []
    for index, word in enumerate(words):
        start = word.start if index else 0.0
        end = words[index + 1].start if index + 1 < len(words) else length
        first, last = (min(count, max(0, int(edge * rate / step))) for edge in (start, end))
        sound = float(loud[last] - loud[min(first, last)]) * step / rate
        expected = 0.25 + SECONDS_PER_LETTER * len(word.text)
        slots.append(Slot(index, sound - expected, start, end))
    return max(slots, key=lambda slot: slot.seconds)


def missed_by_all(hearings: Sequence[Hearing]) -> set[int]:
    """Return the places of the words that no hearing has."""
    return set.intersection(*(hearing.missed() for hearing in hearings))


@dataclass(frozen=True, slots=True)
class Hearing:
    """One transcript of a segment, aligned with its words."""

    script: tuple[str, ...]
    heard: tuple[str, ...]
    stretches: tuple[Stretch, ...]
    text: str
    unexplained: float

    @classmethod
    def of(
        cls, script: Sequence[str], text: str, language: str, *, unexplained: float = 0.0
    ) -> Hearing:
        """Align the transcript `text` with the words of `script`.

        `unexplained` is how many seconds of sound its words leave unexplained.
        """
        heard = words_of(text, language)
        return cls(
            tuple(script), tuple(heard), tuple(align(script, heard)), text.strip(), unexplained
        )

    @property
    def different(self) -> list[Stretch]:
        """Stretches that neither agree nor sound alike."""
        return [one for one in self.stretches if one.agreement is Agreement.DIFFERENT]

    @property
    def errors(self) -> int:
        """Word errors, those that sound alike forgiven."""
        return sum(one.errors for one in self.different)

    def missed(self) -> set[int]:
        """Return the script words without a partner that is or sounds like them."""
        return {i for one in self.different for i in range(one.script_start, one.script_end)}

    def lacking(self) -> set[int]:
        """Return the missed words in whose place no other was heard."""
        return {
            i
            for one in self.different
            if one.added * 2 < one.lost
            for i in range(one.script_start, one.script_end)
        }

    def doubtful(self) -> bool:
        """Say whether this looks wrong enough to listen again. Errs on the side of doubt."""
        if self.unexplained > UNEXPLAINED_SECONDS:
            return True
        if not self.different:
            return False
        count = len(self.script)
        last = count - 1 in self.missed()
        runs = any(one.lost >= 2 or one.added >= 3 for one in self.different)
        return runs or last or count <= 4 or self.errors > max(1, count // 6)

    def repeats(self) -> tuple[str, ...]:
        """Return heard words that were added and are words of the script said twice, or none."""
        for one in self.stretches:
            if one.agreement is Agreement.SAME or one.added <= one.lost:
                continue
            added = self.heard[one.heard_start : one.heard_end]
            need = 1 if len(self.script) == 1 else 2
            size = max(need, (one.added - one.lost + 1) // 2)
            grams = _grams(self.script, size)
            for start in range(len(added) - size + 1):
                gram = added[start : start + size]
                if any(_alike(gram, other) for other in grams):
                    return added
        return ()


def _longest_run(places: set[int]) -> int:
    longest = run = 0
    for place in sorted(places):
        run = run + 1 if place - 1 in places else 1
        longest = max(longest, run)
    return longest


def _grams(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + size]) for i in range(len(words) - size + 1)]


def _alike(one: Sequence[str], two: Sequence[str]) -> bool:
    return all(sounds_alike(a, b) for a, b in zip(one, two, strict=True))


def borne_out_words(hearings: Sequence[Hearing], words: Sequence[Word], language: str) -> set[int]:
    """Return the places of words that no hearing has but that the sound bears out.

    Runs stand or fall together: after a word that is not there the recogniser finds those that
    would follow it likely, whatever it hears.

    Parameters
    ----------
    words
        The script's words with their probabilities, from
        :meth:`provenance.listening.asr.Transcriber.support`.
    """
    script = hearings[0].script
    missed = missed_by_all(hearings)
    lacking = set.intersection(*(hearing.lacking() for hearing in hearings))
    parts = [(part, word.probability) for word in words for part in words_of(word.text, language)]
    supported: set[int] = set()
    for one in align(script, [part for part, _ in parts]):
        if one.agreement is Agreement.DIFFERENT:
            continue
        values = [value for _, value in parts[one.heard_start : one.heard_end]]
        if one.lost == one.added:
            places = enumerate(values, one.script_start)
            supported |= {
                place
                for place, value in places
                if value >= (SUPPORT_LACKING if place in lacking else SUPPORT)
            }
        elif values and max(values) >= SUPPORT:
            supported |= set(range(one.script_start, one.script_end))
    found: set[int] = set()
    run: list[int] = []
    for place in range(len(script) + 1):
        if place in missed:
            run.append(place)
        elif run:
            if supported.issuperset(run):
                found.update(run)
            run = []
    return found


def judge(hearings: Sequence[Hearing], best: int, borne_out: set[int]) -> tuple[str, str]:
    """Weigh all hearings of one segment. Returns verdict and detail."""
    chosen = hearings[best]
    script, count = chosen.script, len(chosen.script)
    if not chosen.doubtful():
        return "ok", ""
    lost = missed_by_all(hearings) - borne_out
    repeats = [hearing.repeats() for hearing in hearings]
    if sum(map(bool, repeats)) * 2 > len(repeats):
        shortest = sorted((said for said in repeats if said), key=len)[0]
        return "repeated", f"Said twice: “{' '.join(shortest)}”."
    quoted = "“" + " ".join(script[i] for i in sorted(lost)) + "”"
    instead = " ".join(
        word for one in chosen.different for word in chosen.heard[one.heard_start : one.heard_end]
    )
    added = min(
        sum(max(0, one.added - one.lost) for one in hearing.different) for hearing in hearings
    )
    if not lost:
        if added >= 3:
            return "garbled", f"Words that are not in the script: “{instead}”."
        left = min(hearing.unexplained for hearing in hearings)
        if left > UNEXPLAINED_SECONDS:
            return "garbled", f"{left:.1f} s of sound in which no words could be made out."
        return "ok", ""
    lacking = chosen.lacking() & lost
    if not chosen.heard or len(lacking) >= 2 or (lacking and max(lost) == count - 1):
        return "missing", f"Not heard: {quoted}."
    said = f"Not made out: {quoted}; heard “{instead}”."
    if added >= 3 or (len(lost) >= 2 and len(lost) >= count * 0.2) or _longest_run(lost) >= 3:
        return "garbled", said
    if len(lost) >= count * 0.5 or max(lost) == count - 1 or len(lost) >= 3:
        return "unsure", said
    return "ok", ""
