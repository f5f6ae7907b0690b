"""The losses, each a mean that is comparable from batch to batch."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


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


def too_loud(excess: Tensor) -> Tensor:
    """Return the mean square by which the limit had to turn the mark down (nepers)."""
    return F.relu(excess).square().mean()
