"""Pronounce a word from its letters, by a small recurrent network in numpy.

The weights are trained by ``python -m voice.phonemes.train network`` on the lexicons of misaki
(see there for the architecture). Half precision on disk, single precision in memory.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

LETTERS = "abcdefghijklmnopqrstuvwxyz'"
STYLES = ("us", "us-name", "gb", "gb-name")
LONGEST = 40
_SPECIAL = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "th", "þ": "th", "ł": "l"}
_SPECIAL |= {"ı": "i", "ħ": "h", "ŋ": "ng", "’": "'", "‘": "'"}

Array = NDArray[np.float32]


def spelled(word: str) -> str:
    """Return `word` in the letters the network knows: lower case, without diacritics."""
    lower = "".join(_SPECIAL.get(c, c) for c in word.lower())
    plain = unicodedata.normalize("NFKD", lower)
    return "".join(c for c in plain if c in LETTERS)


def _sigmoid(x: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -30.0, 30.0))), dtype=np.float32)


def _times(x: Array, matrix: Array) -> Array:
    """Multiply the last axis of `x` by the rows of `matrix`.

    Not by BLAS: products this small take it longer to share out among threads than to do, and
    on a busy machine a hundred times longer.
    """
    return np.asarray(np.einsum("...j,ij->...i", x, matrix))


class _Gru:
    """One direction of one GRU layer, in PyTorch's order of gates (reset, update, new)."""

    def __init__(self, weights: dict[str, Array], prefix: str, suffix: str) -> None:
        self.input = weights[f"{prefix}.weight_ih_{suffix}"]
        self.state = weights[f"{prefix}.weight_hh_{suffix}"]
        self.input_bias = weights[f"{prefix}.bias_ih_{suffix}"]
        self.state_bias = weights[f"{prefix}.bias_hh_{suffix}"]
        self.size = self.state.shape[1]

    def step(self, projected: Array, hidden: Array) -> Array:
        """Advance by one step; `projected` is the input after the input matrix."""
        size = self.size
        recurrent = _times(hidden, self.state) + self.state_bias
        gates = _sigmoid(projected[..., : 2 * size] + recurrent[..., : 2 * size])
        reset, update = gates[..., :size], gates[..., size:]
        new = np.tanh(projected[..., 2 * size :] + reset * recurrent[..., 2 * size :])
        return np.asarray((1.0 - update) * new + update * hidden, dtype=np.float32)

    def run(self, inputs: Array) -> Array:
        """Go over a sequence; shapes (length, features) -> (length, size)."""
        projected = _times(inputs, self.input) + self.input_bias
        hidden = np.zeros(self.size, np.float32)
        result = np.empty((len(inputs), self.size), np.float32)
        for i, row in enumerate(projected):
            result[i] = hidden = self.step(row, hidden)
        return result


class Network:
    """The trained network.

    Parameters
    ----------
    weights
        Arrays by PyTorch's names.
    chunks
        What each output stands for: none, one or more phonemes of the Kokoro alphabet.
    """

    def __init__(self, weights: dict[str, Array], chunks: list[str]) -> None:
        self.chunks = chunks
        self.letter = weights["letter.weight"]
        self.style = weights["style.weight"]
        self.encoder = [
            (_Gru(weights, "encoder", f"l{layer}"), _Gru(weights, "encoder", f"l{layer}_reverse"))
            for layer in (0, 1)
        ]
        self.decoder = _Gru(weights, "decoder", "l0")
        encoded = 2 * self.encoder[0][0].size
        self.from_encoder = np.ascontiguousarray(self.decoder.input[:, :encoded])
        # What each previous chunk adds to the decoder's input, computed once.
        self.from_previous = _times(weights["previous.weight"], self.decoder.input[:, encoded:])
        self.output = weights["output.weight"]
        self.output_bias = weights["output.bias"]

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls) -> Network:
        """Load the weights that are shipped with the package."""
        with (
            resources.files("voice.phonemes").joinpath("data/network.npz").open("rb") as stream,
            np.load(stream) as data,
        ):
            return cls.from_arrays(dict(data))

    @classmethod
    def from_arrays(cls, data: dict[str, NDArray[np.generic]]) -> Network:
        """Build the network from the arrays of its file."""
        chunks = data["chunks"].tobytes().decode().split("\n")
        weights = {k: v.astype(np.float32) for k, v in data.items() if k != "chunks"}
        return cls(weights, chunks)

    def pronounce(self, word: str, *, accent: str, name: bool = False, beam: int = 3) -> str:
        """Return the most likely phonemes of `word` in the Kokoro alphabet.

        Parameters
        ----------
        word
            As written; diacritics are dropped, unknown characters too.
        accent
            ``"us"`` or ``"gb"``.
        name
            Whether it is a proper name.
        beam
            How many partial pronunciations are kept.
        """
        letters = spelled(word)[:LONGEST]
        if not letters:
            return ""
        style = STYLES.index(f"{accent}-name" if name else accent)
        hidden = self.letter[[LETTERS.index(c) for c in letters]] + self.style[style]
        for forward, backward in self.encoder:
            hidden = np.concatenate([forward.run(hidden), backward.run(hidden[::-1])[::-1]], -1)
        projected = _times(hidden, self.from_encoder) + self.decoder.input_bias

        states = np.zeros((1, self.decoder.size), np.float32)
        scores = np.zeros(1)
        said: list[list[int]] = [[]]
        previous = [len(self.chunks)]
        for row in projected:
            states = self.decoder.step(row + self.from_previous[previous], states)
            logits = _times(states, self.output) + self.output_bias
            logits -= logits.max(-1, keepdims=True)
            log_probability = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
            total = (scores[:, None] + log_probability).ravel()
            best = np.argpartition(-total, beam)[:beam]
            best = best[np.argsort(-total[best])]
            origin, previous_array = np.divmod(best, len(self.chunks))
            scores = total[best]
            states = states[origin]
            previous = previous_array.tolist()
            said = [[*said[o], c] for o, c in zip(origin.tolist(), previous, strict=True)]
        return "".join(self.chunks[c] for c in said[0])
