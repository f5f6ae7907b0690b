"""The losses, each a mean that is comparable from batch to batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from provenance.watermark.training.network import frames

_WINDOW = 512
_HEARING_FLOOR = 1e-9  # power of a bin that nobody hears


def presence(logit: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the cross entropy of being marked; all of shape (batch, steps)."""
    loss = F.binary_cross_entropy_with_logits(logit, target, reduction="none")
    return (loss * weight).sum() / weight.sum().clamp(min=1)


def message(logit: Tensor, target: Tensor, weight: Tensor, of_bit: Tensor) -> Tensor:
    """Return the cross entropy of the bits frame by frame.

    Parameters
    ----------
    logit, target : Tensor, shape (batch, frames, 16)
    weight : Tensor, shape (batch, frames)
    of_bit : Tensor, shape (16,)
        Weight of each bit, mean 1: bits not learned yet count more.
    """
    loss = F.binary_cross_entropy_with_logits(logit, target, reduction="none")
    weights = weight[..., None] * of_bit
    return (loss * weights).sum() / weights.sum().clamp(min=1)


def word_means(logit: Tensor, word: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Average the logits over each word.

    Parameters
    ----------
    logit : Tensor, shape (batch, frames, 16)
    word : Tensor of int64, shape (batch, frames)
        Number of the word in its clip, from 0.
    weight : Tensor, shape (batch, frames)

    Returns
    -------
    means : Tensor, shape (batch, words, 16)
    size : Tensor, shape (batch, words)
        Sum of the weights of each word.
    """
    chosen = F.one_hot(word).to(logit.dtype) * weight[..., None]
    size = chosen.sum(1)
    means = chosen.transpose(1, 2) @ logit / size[..., None].clamp(min=1e-6)
    return means, size


def spectral(x: Tensor, mark: Tensor, margin_db: float) -> Tensor:
    """Return by how much the mark stands out of the sound's own spectrum, in units of 10 dB.

    The sound's power in each cell of 32 ms by 31 Hz is spread to its neighbours, as hearing
    does; the mark should stay `margin_db` below that everywhere.
    """
    window = torch.hann_window(_WINDOW)
    scale = 1 / window.square().sum()

    def power(wave: Tensor) -> Tensor:
        cells = torch.stft(wave[:, 0], _WINDOW, _WINDOW // 2, window=window, return_complex=True)
        return cells.real.square().mul(scale) + cells.imag.square().mul(scale)

    masker = F.avg_pool2d(power(x)[:, None], (7, 3), stride=1, padding=(3, 1),
                          count_include_pad=False)[:, 0]  # fmt: skip
    allowed = masker * 10 ** (-margin_db / 10) + _HEARING_FLOOR
    excess = F.relu(torch.log10((power(mark) + 1e-12) / allowed))
    return excess.square().mean()


def too_loud(excess: Tensor) -> Tensor:
    """Return the mean square by which the level limit had to turn the mark down (nepers)."""
    return F.relu(frames(excess[:, 0])).square().mean()
