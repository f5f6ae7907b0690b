"""The operations Kokoro's network is made of, channels last.

A signal is a (time, channels) tensor, contiguous, so that one time step is one run of memory:
convolutions see it as a channels-last image of height 1, and element-wise work runs along
channels. :class:`Layers` is plain PyTorch and works everywhere; the compiled kernels of
:mod:`voice.engines.kokoro.native` replace its slow parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

NORM_EPSILON = 1e-5


@dataclass(slots=True)
class Convolution:
    """A one-dimensional convolution.

    Attributes
    ----------
    weight
        (out, in, 1, kernel), channels-last, in the precision it is computed in.
    bias
        (out,) or None.
    """

    weight: Tensor
    bias: Tensor | None
    padding: int = 0
    dilation: int = 1
    stride: int = 1

    @classmethod
    def make(
        cls,
        weight: Tensor,
        bias: Tensor | None,
        dtype: torch.dtype,
        *,
        padding: int = 0,
        dilation: int = 1,
        stride: int = 1,
    ) -> Convolution:
        """Lay out a (out, in, kernel) weight for channels-last use."""
        # Copies, even in the same precision: the mapped weights are let go after loading.
        image = weight.to(dtype).unsqueeze(2).clone(memory_format=torch.channels_last)
        offset = None if bias is None else bias.to(dtype, copy=True)
        return cls(image, offset, padding, dilation, stride)

    def __call__(self, x: Tensor) -> Tensor:
        """Convolve (time, in) to (time', out) in the weight's precision."""
        image = x.to(self.weight.dtype).t()[None, :, None, :]
        result = F.conv2d(
            image,
            self.weight,
            self.bias,
            stride=(1, self.stride),
            padding=(0, self.padding),
            dilation=(1, self.dilation),
        )
        return result[0, :, 0, :].t()


@dataclass(slots=True)
class Norm:
    """What follows an instance norm: the style's scale and shift, then an activation.

    Attributes
    ----------
    gain, shift
        (channels,) float32; the normalised signal is multiplied by 1 + gain.
    alpha
        (channels,) frequencies of a snake activation; None for a leaky ReLU.
    slope
        Of the leaky ReLU.
    """

    gain: Tensor
    shift: Tensor
    alpha: Tensor | None = None
    slope: float = 0.2


class Layers:
    """Plain PyTorch implementations.

    Parameters
    ----------
    dtype
        Precision of convolution inputs and weights in the decoder: float32 or bfloat16.
        Sums, norms and residuals are float32 throughout.
    """

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        self.dtype = dtype

    def norm_act(
        self, x: Tensor, norm: Norm, *, add: Tensor | None = None, out: torch.dtype | None = None
    ) -> tuple[Tensor, Tensor]:
        """Add, normalise over time, scale, activate.

        Parameters
        ----------
        x, add
            (time, channels); `add` is a pending residual branch or None.
        out
            Precision of the result; this object's own by default.

        Returns
        -------
        activated, residual
            The result, and ``x + add`` before the norm in float32 (`x` itself without `add`).
        """
        residual = x if add is None else x.float() + add.float()
        values = residual.float()
        variance, mean = torch.var_mean(values, 0, correction=0)
        gain = torch.rsqrt(variance + NORM_EPSILON) * (1 + norm.gain)
        y = torch.addcmul(norm.shift - mean * gain, values, gain)
        if norm.alpha is None:
            y = F.leaky_relu_(y, norm.slope)
        else:
            y = y + torch.sin(norm.alpha * y).square_() / norm.alpha
        return y.to(out or self.dtype), residual

    def average(
        self, branches: Sequence[tuple[Tensor, Tensor]], slope: float, out: torch.dtype
    ) -> Tensor:
        """Average three (residual, pending) branches and apply a leaky ReLU."""
        total = torch.zeros_like(branches[0][0])
        for residual, pending in branches:
            total += residual
            total += pending
        return F.leaky_relu_(total / len(branches), slope).to(out)


def pool(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Double the length by the depthwise transposed convolution of kernel 3.

    ``ConvTranspose1d(C, C, 3, stride=2, padding=1, output_padding=1, groups=C)`` on
    (time, channels), written as two interleaved sums.
    """
    taps = weight[:, 0].to(x.dtype)
    shift = bias.to(x.dtype)
    following = F.pad(x[1:], (0, 0, 0, 1))
    even = x * taps[:, 1] + shift
    odd = x * taps[:, 2] + following * taps[:, 0] + shift
    return torch.stack([even, odd], 1).reshape(-1, x.shape[1])


@dataclass(slots=True)
class Upsampling:
    """``ConvTranspose1d`` with kernel = 2 stride and padding = stride / 2.

    One matrix product, then the two halves of neighbouring frames overlap.

    Attributes
    ----------
    weight
        (in, 2 * stride * out).
    bias
        (out,) float32.
    """

    weight: Tensor
    bias: Tensor
    stride: int

    @classmethod
    def make(cls, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> Upsampling:
        """Lay out a (in, out, kernel) weight."""
        matrix = weight.permute(0, 2, 1).reshape(weight.shape[0], -1)
        return cls(
            matrix.contiguous().to(dtype), bias.to(torch.float32, copy=True), weight.shape[2] // 2
        )

    def __call__(self, x: Tensor) -> Tensor:
        """Upsample (time, in) to (time * stride, out), in float32."""
        frames, stride = x.shape[0], self.stride
        halves = (x.to(self.weight.dtype) @ self.weight).float().view(frames, 2, stride, -1)
        total = halves.new_zeros(frames + 1, stride, halves.shape[-1])
        total[:frames] = halves[:, 0]
        total[1:] += halves[:, 1]
        trim = stride // 2
        joined = total.view((frames + 1) * stride, -1)
        return joined[trim : (frames + 1) * stride - trim] + self.bias
