"""The judgement on one segment: what several hearings of it, taken together, show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provenance.listening.asr import Word
from voice.narration.alignment import Agreement, Stretch, align, sounds_alike
from voice.narration.wording import words_of

SUPPORT = 0.02
"""A word in whose place another was heard counts as said from this probability on."""

SUPPORT_LACKING = 0.5
"""The same for a word in whose place nothing was heard: what is likely to come next is given
some probability even where the sound has ended."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """One transcript of a segment, aligned with its words."""

    script: tuple[str, ...]
    heard: tuple[str, ...]
    stretches: tuple[Stretch, ...]

    @classmethod
    def of(cls, script: Sequence[str], text: str, language: str) -> Hearing:
        """Align the transcript `text` with the words of `script`."""
        heard = words_of(text, language)
        return cls(tuple(script), tuple(heard), tuple(align(script, heard)))

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
    missed = set.intersection(*(hearing.missed() for hearing in hearings))
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
    if len(hearings) == 1 or not chosen.doubtful():
        return "ok", ""
    lost = set.intersection(*(hearing.missed() for hearing in hearings)) - borne_out
    repeats = [hearing.repeats() for hearing in hearings]
    if all(repeats):
        words = " ".join(sorted(repeats, key=len)[0])
        return "repeated", f"Said twice: “{words}”."
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
