"""The code that carries a 48-bit id in words of 16 bits, and how sure a decoded id is.

The id is spread over a cycle of words by a linear code whose generator matrix was drawn once, by
hashing a label. Nothing marks the beginning of the cycle: every word is data, and the right
alignment is the one under which what was heard is close to a codeword. Decoding is soft, by
ordered statistics (Fossorier and Lin, IEEE Trans. Inf. Theory 41, 1995).

Because the code was drawn at random, the chance that sound which has nothing to do with it comes
as close to any of its codewords can be bounded without knowing anything about the sound: that
bound is the p-value. benchmarks/watermark_code.py shows the choice by figures.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from consent.errors import InputError

ID_BITS = 48
WORD_BITS = 16
CYCLE = 20
"""Words until the code begins again."""

CODE_BITS = CYCLE * WORD_BITS

_DOUBTFUL = 20  # least reliable bits, one of which is in every three that are tried as wrong
_LABEL = b"vivavoce watermark code 1"

FloatArray = NDArray[np.float64]
BitArray = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Decoded:
    """The codeword closest to what was heard.

    Attributes
    ----------
    output_id
        12 hex digits.
    log_p
        Natural logarithm of a bound on the chance that any of all ids comes as close at one given
        alignment, in sound that has nothing to do with the code.
    corrected
        Bits of the codeword that were heard wrong.
    heard
        Bits of the codeword that were heard at all.
    """

    output_id: str
    log_p: float
    corrected: int
    heard: int


@dataclass(frozen=True, slots=True, eq=False)
class Code:
    """A linear code of the id over a cycle of words, made different from every shift of itself.

    Attributes
    ----------
    generator : ndarray of uint8, shape (48, words * 16)
    mask : ndarray of uint8, shape (words * 16,)
        Added to every codeword: no codeword is constant, none is the shift of another.
    rows
        The generator's rows and an identity matrix beside them, as integers.
    """

    generator: BitArray
    mask: BitArray
    rows: tuple[int, ...]

    @property
    def words(self) -> int:
        """Words in a cycle."""
        return self.mask.size // WORD_BITS

    def encode(self, output_id: str) -> BitArray:
        """Return the words of an id, shape (words, 16), 0 or 1."""
        bits = id_bits(output_id)
        coded = _product(bits, self.generator) ^ self.mask
        return coded.reshape(self.words, WORD_BITS)

    def decode(self, soft: FloatArray, *, order: int = 3) -> Decoded:
        """Return the id whose codeword fits `soft` best.

        Parameters
        ----------
        soft : ndarray, shape (words, 16)
            Positive for 1, negative for 0, 0 for what was not heard; on any scale.
        order
            How many of the 48 most reliable bits may be wrong together.
        """
        heard = self._bare(soft)
        codeword, information = self._closest(heard, order)
        match = (1.0 - 2.0 * codeword) * heard
        return Decoded(
            output_id=np.packbits(information).tobytes().hex(),
            log_p=ID_BITS * math.log(2) + log_tail(np.abs(heard), float(match.sum())),
            corrected=int(np.count_nonzero(match < 0)),
            heard=int(np.count_nonzero(heard)),
        )

    def closeness(self, soft: FloatArray, *, order: int = 2) -> float:
        """Return how far the closest codeword stands out: its correlation over that of noise."""
        heard = self._bare(soft)
        codeword, _ = self._closest(heard, order)
        size = math.sqrt(float(np.square(heard).sum()))
        return float(((1.0 - 2.0 * codeword) * heard).sum()) / size if size else 0.0

    def _bare(self, soft: FloatArray) -> FloatArray:
        """Take the mask off; positive stands for 0 of the bare code."""
        return np.where(self.mask, soft.reshape(-1), -soft.reshape(-1))

    def _closest(self, heard: FloatArray, order: int) -> tuple[BitArray, BitArray]:
        """Return the codeword that correlates best with `heard`, and its information.

        The code is re-encoded from its 48 most reliable independent bits; then up to `order` of
        these are taken to be wrong, in every combination.
        """
        basis, recipe, pivots = _reliable_basis(self.rows, self.mask.size, heard)
        start = (heard[pivots] < 0).astype(np.uint8)
        match = (1.0 - 2.0 * _product(start, basis)) * heard
        _, flips = _best_flips(basis.astype(np.float64), match, order)
        start[flips] ^= 1
        return _product(start, basis), _product(start, recipe)


def log_tail(size: FloatArray, total: float) -> float:
    """Bound the chance that random signs give a sum as large as `total`.

    Chernoff's bound: ``min over t of exp(-t * total) * product of cosh(t * size)``. Any t gives
    a bound, so a coarse search is no error.

    Returns
    -------
    float
        Natural logarithm, 0 or less.
    """
    size = size[size > 0]
    if not size.size or total <= 0:
        return 0.0
    steps = np.geomspace(0.02, 40.0, 60)[:, None] / size.mean()
    spread = np.logaddexp(steps * size, -steps * size) - math.log(2)
    return min(0.0, float((spread.sum(1) - steps[:, 0] * total).min()))


def id_bits(output_id: str) -> BitArray:
    """Return the 48 bits of an id, most significant first.

    Raises
    ------
    InputError
        It is not 12 hexadecimal digits.
    """
    try:
        if len(output_id) != ID_BITS // 4:
            raise ValueError
        raw = bytes.fromhex(output_id)
    except ValueError:
        raise InputError(
            f"the output id {output_id!r} is not 12 hexadecimal digits",
            hint="Give an id such as 3f9a00c41b7e.",
        ) from None
    return np.unpackbits(np.frombuffer(raw, np.uint8))


@lru_cache
def code(words: int = CYCLE) -> Code:
    """Return the code over a cycle of `words`."""
    count = words * WORD_BITS
    rows = [_drawn(f"row {row}", count) for row in range(ID_BITS)]
    generator = np.stack(rows)
    beside = np.concatenate([generator, np.eye(ID_BITS, dtype=np.uint8)], axis=1)
    numbers = tuple(int.from_bytes(np.packbits(row).tobytes(), "big") for row in beside)
    return Code(generator, _drawn("mask", count), numbers)


def _drawn(name: str, count: int) -> BitArray:
    # The first bits of a longer row are those of a shorter one: one code, cut where a cycle ends.
    raw = hashlib.shake_256(_LABEL + b": " + name.encode()).digest((count + 7) // 8)
    return np.unpackbits(np.frombuffer(raw, np.uint8))[:count]


def _product(bits: BitArray, matrix: BitArray) -> BitArray:
    # Sums wrap at 256, which keeps them even or odd.
    return (bits @ matrix).astype(np.uint8) & np.uint8(1)


def _reliable_basis(
    rows: tuple[int, ...], count: int, heard: FloatArray
) -> tuple[BitArray, BitArray, list[int]]:
    """Bring the generator to the form where its most reliable independent columns are unit.

    Rows are Python's integers, for which one addition is one instruction.

    Returns
    -------
    basis : shape (48, count)
    recipe : shape (48, 48)
        Which rows of the generator make up each row of the basis.
    pivots
        Column that row i alone decides.
    """
    work = list(rows)
    size, width = len(work), count + len(work)
    pivots: list[int] = []
    for column in np.argsort(-np.abs(heard), kind="stable").tolist():
        bit = 1 << (width - 1 - column)
        row = len(pivots)
        pivot = next((index for index in range(row, size) if work[index] & bit), None)
        if pivot is None:
            continue
        work[row], work[pivot] = work[pivot], work[row]
        added = work[row]
        work = [value ^ added if value & bit else value for value in work]
        work[row] = added
        pivots.append(column)
        if len(pivots) == size:
            break
    raw = b"".join(value.to_bytes(width // 8, "big") for value in work)
    whole = np.unpackbits(np.frombuffer(raw, np.uint8)).reshape(size, width)
    return whole[:, :count], whole[:, count:], pivots


def _best_flips(basis: FloatArray, match: FloatArray, order: int) -> tuple[float, list[int]]:
    """Return what the best set of at most `order` flipped rows gains, and the set.

    Flipping row i changes the correlation by ``-2 * sum(match where row i is 1)``; for two rows
    the overlap counts back, so that all pairs are one matrix product.
    """
    single = -2.0 * (basis @ match)
    best, flips = 0.0, []
    if order >= 1 and single.max() > best:
        best, flips = float(single.max()), [int(single.argmax())]
    if order >= 2:
        pairs = single[:, None] + single[None] + 4.0 * _overlaps(basis, match)
        np.fill_diagonal(pairs, -np.inf)
        at = int(pairs.argmax())
        if pairs.flat[at] > best:
            best, flips = float(pairs.flat[at]), list(divmod(at, len(single)))
    if order >= 3:
        # Rows come in the order of their reliability: of three wrong bits one is surely late.
        for row in range(len(single) - 1, len(single) - 1 - _DOUBTFUL, -1):
            turned = np.where(basis[row] > 0, -match, match)
            gain, more = _best_flips(basis, turned, order - 1)
            if single[row] + gain > best and row not in more:
                best, flips = float(single[row]) + gain, [row, *more]
    return best, flips


def _overlaps(basis: FloatArray, match: FloatArray) -> FloatArray:
    # In parts so small that BLAS uses one thread: waking others would take longer.
    weighted = basis * match
    return np.concatenate([weighted[row : row + 16] @ basis.T for row in range(0, len(basis), 16)])
