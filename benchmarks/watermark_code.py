"""Which code carries the id: exact ids and false ones, by length and by how often bits are wrong.

Run: ``python benchmarks/watermark_code.py [--trials 60] [--heard FILE.npz]``

Words of half a second are sent over a channel whose soft values are a sign plus noise, at the rate
of wrong bits per word that the detector was measured to have (.05 to .10 after nothing, MP3, AAC
and resampling, .10 to .14 after Opus at 24 kbit/s, .20 to .28 in noise at 20 dB). The beginning of
the cycle is unknown; every shift is tried. An id counts as read if its p-value, all shifts, offsets
and speeds counted, is below 1e-9. The CRC has no such measure: its id counts if the checksum
agrees, which in sound without a mark happens at one alignment in 65536, and hundreds are tried.

The candidates:

- ``crc``: 48 bits and a CRC-16 in a cycle of four words, repetitions added up;
- ``conv``: a tail-biting convolutional code of rate 1/3 (constraint length 7, 171 133 165) in nine
  words, Viterbi, repetitions added up, judged by the same p-value;
- ``linear N``: the code that was chosen, over a cycle of N words.

With ``--heard`` (an array ``b`` of detector bits of unmarked sound, shape (clips, frames, 16)), the
smallest p-values that the search finds there are printed: they should be about one in the number of
clips, or larger.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np

from provenance.watermark.alignment import alignments_tried, fold, search
from provenance.watermark.coding import ID_BITS, WORD_BITS, code, id_bits, log_tail

LENGTHS_S = (3, 4, 6, 8, 10, 20, 30)
WRONG = (0.05, 0.10, 0.15, 0.20, 0.25, 0.30)
FALSE_ID = math.log(1e-9)
GENERATORS = (0o171, 0o133, 0o165)


def crc16(bits: np.ndarray) -> np.ndarray:
    """Return the CRC-16/CCITT of bits, as 16 bits."""
    value = 0xFFFF
    for bit in bits.tolist():
        value ^= bit << 15
        value = ((value << 1) ^ (0x1021 if value & 0x8000 else 0)) & 0xFFFF
    return np.array([value >> k & 1 for k in range(15, -1, -1)], np.uint8)


class Crc:
    """Plain bits and a checksum."""

    words = 4

    def encode(self, bits: np.ndarray) -> np.ndarray:
        return np.concatenate([bits, crc16(bits)]).reshape(4, WORD_BITS)

    def read(self, soft: np.ndarray) -> np.ndarray | None:
        hard = (soft.ravel() > 0).astype(np.uint8)
        return hard[:ID_BITS] if np.array_equal(crc16(hard[:ID_BITS]), hard[ID_BITS:]) else None


class Convolutional:
    """Tail-biting, rate 1/3, constraint length 7; circular Viterbi of two rounds."""

    words = 9

    def __init__(self) -> None:
        state = np.arange(64)
        registers = (np.arange(2)[:, None] << 6) | state  # (input, state)
        self.out = np.stack(
            [np.vectorize(lambda r, g=g: bin(r & g).count("1") & 1)(registers) for g in GENERATORS],
            axis=-1,
        )
        self.next = registers >> 1

    def encode(self, bits: np.ndarray) -> np.ndarray:
        state = sum(int(bit) << (5 - k) for k, bit in enumerate(bits[:-7:-1]))
        coded = []
        for bit in bits.tolist():
            coded.append(self.out[bit, state])
            state = int(self.next[bit, state])
        mask = code(9).mask
        return (np.concatenate(coded).astype(np.uint8) ^ mask).reshape(9, WORD_BITS)

    def read(self, soft: np.ndarray) -> np.ndarray | None:
        values = np.where(code(9).mask, -1.0, 1.0) * soft.ravel()
        steps = values.reshape(ID_BITS, 3)
        signs = 2.0 * self.out - 1
        score = np.zeros(64)
        back = np.zeros((2 * ID_BITS, 64), int)
        for step in range(2 * ID_BITS):
            gain = score + signs @ steps[step % ID_BITS]  # (input, state)
            new = np.full(64, -np.inf)
            for bit in range(2):
                for state in range(64):
                    to = self.next[bit, state]
                    if gain[bit, state] > new[to]:
                        new[to] = gain[bit, state]
                        back[step, to] = bit << 6 | state
            score = new
        state = int(score.argmax())
        bits = np.zeros(2 * ID_BITS, np.uint8)
        for step in range(2 * ID_BITS - 1, -1, -1):
            bits[step], state = back[step, state] >> 6, back[step, state] & 63
        # The second half of the second round and the first half of it again: both are settled.
        found = np.roll(bits[ID_BITS // 2 : ID_BITS // 2 + ID_BITS], ID_BITS // 2)
        match = soft * (2.0 * self.encode(found) - 1)
        log_p = log_tail(np.abs(match).ravel(), float(match.sum())) + ID_BITS * math.log(2)
        return found if log_p + math.log(alignments_tried(9)) < FALSE_ID else None


class Linear:
    """The code in use, over any cycle."""

    def __init__(self, words: int) -> None:
        self.words = words

    def encode(self, bits: np.ndarray) -> np.ndarray:
        return code(self.words).encode(np.packbits(bits).tobytes().hex())

    def read(self, soft: np.ndarray) -> np.ndarray | None:
        found = code(self.words).decode(soft, order=2)
        if found.log_p + math.log(alignments_tried(self.words)) < FALSE_ID:
            return id_bits(found.output_id)
        return None


def trial(book: Crc | Convolutional | Linear, words: int, mean: float, rng: np.random.Generator):
    """Send one id; return "right", "wrong" or "none"."""
    bits = rng.integers(0, 2, ID_BITS).astype(np.uint8)
    start = int(rng.integers(book.words))
    sent = 2.0 * np.roll(book.encode(bits), -start, axis=0)[np.arange(words) % book.words] - 1
    heard = mean * sent + rng.standard_normal(sent.shape)
    for shift in range(book.words):
        found = book.read(fold(heard, shift + 1, book.words))
        if found is not None:
            return "right" if np.array_equal(found, bits) else "wrong"
    return "none"


def table(trials: int) -> None:
    rng = np.random.default_rng(0)
    books = {"crc": Crc(), "conv": Convolutional()} | {
        f"linear {n}": Linear(n) for n in (8, 12, 16, 20, 32)
    }
    lengths = "".join(f"{f'{s} s':>12}" for s in LENGTHS_S)
    print("exact ids in percent (false ids in percent)")
    for wrong in WRONG:
        print(f"\nbits wrong {wrong:.2f}".ljust(12) + lengths)
        mean = normal_quantile(1 - wrong)
        for name, book in books.items():
            cells, began = [], time.perf_counter()
            count = trials if name != "conv" else max(5, trials // 6)
            for seconds in LENGTHS_S:
                results = [trial(book, 2 * seconds, mean, rng) for _ in range(count)]
                right, false = (100 * results.count(k) / count for k in ("right", "wrong"))
                cells.append(f"{right:.0f} ({false:.0f})")
            spent = (time.perf_counter() - began) / count / len(LENGTHS_S)
            print(name.ljust(11) + "".join(f"{c:>12}" for c in cells), f"{spent * 1e3:7.0f} ms",
                  flush=True)  # fmt: skip


def normal_quantile(share: float) -> float:
    """Return the value that a unit normal stays below with probability `share`."""
    low, high = -8.0, 8.0
    for _ in range(80):
        middle = (low + high) / 2
        below = 0.5 * (1 + math.erf(middle / math.sqrt(2))) < share
        low, high = (middle, high) if below else (low, middle)
    return low


def unmarked(file: Path) -> None:
    bits = np.load(file)["b"].astype(np.float32)
    found = [search(np.clip(clip / 20, -1.5, 1.5), 0) for clip in bits]
    logs = sorted(f.log_p / math.log(10) for f in found if f is not None)
    print(f"\nunmarked: {len(logs)} clips of {bits.shape[1] / 50:g} s; smallest p-values")
    print("  " + ", ".join(f"1e{log:.2f}" for log in logs[:5]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--heard", type=Path)
    options = parser.parse_args()
    if options.trials:
        table(options.trials)
    if options.heard:
        unmarked(options.heard)


if __name__ == "__main__":
    main()
