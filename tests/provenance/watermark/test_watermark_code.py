"""The code: corrects what it should, never finds an id where there is none, and knows it."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from consent.errors import InputError
from provenance.watermark.coding import CODE_BITS, CYCLE, ID_BITS, code, id_bits, log_tail

ID = "3f9a00c41b7e"


def heard(output_id: str, error: float, rng: np.random.Generator) -> np.ndarray:
    """Return soft values of which a share `error` has the wrong sign."""
    signs = 2.0 * code().encode(output_id) - 1
    noise = rng.standard_normal(signs.shape)
    # The mean that a unit normal falls below zero with probability `error`.
    mean = math.sqrt(2) * _erfinv(1 - 2 * error)
    return signs * mean + noise


def _erfinv(value: float) -> float:
    low, high = 0.0, 6.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erf(middle) < value else (low, middle)
    return low


@pytest.mark.parametrize("error", [0.001, 0.05, 0.15])
def test_an_id_is_decoded_although_bits_are_wrong(error: float) -> None:
    rng = np.random.default_rng(1)
    for _ in range(6):
        output_id = rng.bytes(6).hex()
        soft = heard(output_id, error, rng)
        found = code().decode(soft)
        assert found.output_id == output_id
        signs = 2.0 * code().encode(output_id) - 1
        assert found.corrected == np.count_nonzero(soft * signs < 0)
        assert found.log_p < math.log(1e-15)


def test_a_part_of_the_cycle_is_enough() -> None:
    rng = np.random.default_rng(2)
    soft = heard(ID, 0.02, rng)
    soft[8:] = 0
    found = code().decode(soft)
    assert found.output_id == ID
    assert found.heard == 8 * 16


def test_less_than_the_id_itself_proves_nothing() -> None:
    soft = np.zeros((CYCLE, 16))
    soft[:3] = 2.0 * code().encode(ID)[:3] - 1
    assert code().decode(soft).log_p > -1


@pytest.mark.parametrize("kind", ["noise", "constant", "tied", "one word", "huge"])
def test_what_is_no_codeword_is_no_id(kind: str) -> None:
    rng = np.random.default_rng(3)
    worst = 0.0
    for _ in range(8):
        soft = {
            "noise": rng.standard_normal((CYCLE, 16)),
            "constant": np.tile(rng.standard_normal(16), (CYCLE, 1)),  # a detector's bias
            "tied": rng.choice([-1.0, 1.0], (CYCLE, 16)),
            "one word": np.tile(rng.choice([-1.0, 1.0], 16), (CYCLE, 1)),
            "huge": 1e30 * rng.standard_normal((CYCLE, 16)),
        }[kind]
        worst = min(worst, code().decode(soft).log_p)
    # Some thousand alignments later this would still be far from 1e-9.
    assert worst > math.log(1e-3)


def test_nothing_heard_is_no_id() -> None:
    found = code().decode(np.zeros((CYCLE, 16)))
    assert found.heard == 0
    assert found.log_p >= 0


def test_no_shift_of_a_codeword_is_another_ids_codeword() -> None:
    soft = 2.0 * code().encode(ID) - 1
    for shift in range(1, CYCLE):
        assert code().decode(np.roll(soft, shift, axis=0)).log_p > math.log(1e-3)


def test_ids_differ_in_many_bits_also_within_a_few_words() -> None:
    rng = np.random.default_rng(4)
    base = code().encode(ID)
    for _ in range(300):
        bits = np.packbits(rng.integers(0, 2, ID_BITS).astype(np.uint8)).tobytes().hex()
        assert np.count_nonzero(code().encode(bits) != base) > CODE_BITS // 4
    for bit in range(ID_BITS):  # and those that differ in one bit of the id
        near = id_bits(ID)
        near[bit] ^= 1
        other = code().encode(np.packbits(near).tobytes().hex())
        assert np.count_nonzero(other != base) > CODE_BITS // 4


def test_the_bound_holds_against_every_outcome() -> None:
    size = np.array([3.0, 2.0, 2.0, 1.0, 1.0, 0.5, 0.5, 0.25])
    sums = np.array([np.dot(size, s) for s in itertools.product([-1, 1], repeat=size.size)])
    for total in np.unique(sums[sums > 0]):
        exact = float(np.mean(sums >= total - 1e-9))
        assert log_tail(size, float(total)) >= math.log(exact) - 1e-9
    assert log_tail(size, float(size.sum())) == pytest.approx(-8 * math.log(2), abs=0.2)


def test_the_code_never_changes() -> None:
    # Files that are out there are read by it for ever.
    words = code().encode(ID)
    assert [int("".join(map(str, word)), 2) for word in words[:4].tolist()] == GOLDEN
    assert words.shape == (20, 16)


@pytest.mark.parametrize("wrong", ["", "3f9a", "3f9a00c41b7e00", "zz9a00c41b7e", "3f 9a00c41b7"])
def test_what_is_no_id_is_refused(wrong: str) -> None:
    with pytest.raises(InputError, match="12 hexadecimal"):
        code().encode(wrong)


GOLDEN = [4497, 53037, 2562, 46522]
