"""A start made by hand: networks that already speak and hear a code of tones.

Left to chance, generator and detector take many thousand steps to agree on sixteen signals, and
tend to agree on signals that are readable at one alignment of the frames only, which nobody
has who is handed a recording. So the weights are laid out such that the untrained networks
work, at any alignment:

* Each bit is one of two tones, 50 Hz apart; 32 tones from 1700 to 3250 Hz, where speech is
  faint and every telephone still passes. They are multiples of the frame rate, so the same
  hidden vector gives the same tone in every frame.
* Both encoders are filter banks: the first convolutions only gather 24, then 96 samples (they
  stay so small that ELU is all but linear), the next take the Fourier sum at each tone over
  6 ms, the last over 43 ms.
* The detector's LSTM compresses (its gates are held open, tanh does the rest), the ELU after it
  rectifies the sum's real and imaginary part and their negatives, the next layer compares the
  energies of a bit's two tones.
* The generator's hidden vector is the level of the sound around each tone; the message's
  embedding pushes the tones that must be silent far below zero, where ELU cuts them off. The
  decoder is the filter bank backwards.

Everything is trained afterwards: only the starting point is chosen.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from provenance.watermark.training.network import BITS, HOP, RATE

TONES = 2 * BITS
LOWEST_HZ = 1700
_OFF = 60.0  # what the message takes from the level of a tone that must not sound
_NEAR_ZERO = 0.01  # of the usual random weights: what is left where the layout says nothing


def frequencies() -> Tensor:
    """Return the 32 tones in Hz; bit k is 2k for 0 and 2k + 1 for 1."""
    return LOWEST_HZ + RATE / HOP * torch.arange(TONES, dtype=torch.float64)


def lay_out(generator: Any, detector: Any) -> None:
    """Set the weights of both networks.

    Raises
    ------
    ValueError
        The card is not ``n_filters=8, dimension=32, lstm=1``, for which the layout is made.
    """
    if (
        generator.msg_processor.hidden_size != TONES
        or _layers(generator.encoder)[4].out_channels != 128
    ):
        raise ValueError("the start made by hand needs n_filters 8, dimension 32 and one LSTM")
    with torch.no_grad():
        for network in (generator, detector):
            _open_residuals(network)
        _filter_bank(generator.encoder, gain=600.0)
        _levels(generator.encoder)
        _message(generator)
        _synthesis(generator.decoder)
        encoder = detector.detector[0]
        _filter_bank(encoder, gain=1.0)
        _energies(encoder)
        _comparison(detector)


def _layers(network: nn.Module) -> list[Any]:
    """Return the convolutions outside residual blocks, in order."""
    return [
        module
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d)
        and ".block." not in name
        and "reverse" not in name
    ]


def _open_residuals(network: nn.Module) -> None:
    """Turn every residual block down to little more than its skip connection."""
    for name, module in network.named_modules():
        if ".block." in name and isinstance(module, nn.Conv1d) and module.kernel_size == (1,):
            _quiet(module)


def _quiet(module: Any) -> Tensor:
    module.weight.mul_(_NEAR_ZERO)
    module.bias.zero_()  # a constant would look like a tone: 400 Hz is a multiple of some
    weight: Tensor = module.weight
    return weight


def _gather(weight: Tensor, inputs: int, step: int, outputs: int) -> None:
    """Let output c be the sample at place c; input i at tap t is at place ``step * t + i``."""
    taps = weight.shape[2]
    count = torch.zeros(outputs)
    for t in range(taps):
        for i in range(inputs):
            count[step * t + i] += 1
    for t in range(taps):
        for i in range(inputs):
            weight[step * t + i, i, t] += 1 / count[step * t + i]


def _filter_bank(encoder: nn.Module, gain: float) -> None:
    """Lay out the first four convolutions: 64 channels at 400 Hz, Fourier sums over 6 ms."""
    first, second, third, fourth = _layers(encoder)[:4]
    weight = _quiet(first)
    for j in range(7):
        weight[j, 0, j] += 1.0
    _gather(_quiet(second), 7, 1, 10)
    _gather(_quiet(third), 10, 2, 24)
    weight = _quiet(fourth)
    window = torch.hann_window(96, periodic=False, dtype=torch.float64)
    window = window / window.sum() * 2 * gain
    omega = 2 * math.pi * frequencies() / RATE
    count = torch.zeros(96)
    for t in range(10):
        for c in range(24):
            count[8 * t + c] += 1
    for t in range(10):
        for c in range(24):
            place = 8 * t + c
            part = window[place] / count[place]
            angle = omega * (place - 32)
            weight[0:64:2, c, t] += (part * torch.cos(angle)).float()
            weight[1:64:2, c, t] -= (part * torch.sin(angle)).float()


def _levels(encoder: nn.Module) -> None:
    """Lay out the generator's last layers: hidden j is the sound's level around tone j."""
    down, last = _layers(encoder)[4:6]
    window = torch.hann_window(16, periodic=False)
    weight = _quiet(down)
    for j in range(TONES):
        weight[j, 2 * j] += 2 * window / window.sum()
        weight[j, 2 * j + 1] += 2 * window / window.sum()
    _still(encoder)
    weight = _quiet(last)
    for j in range(TONES):
        weight[j, j, 2:5] += torch.tensor([0.25, 0.5, 0.25]) * 4


def _still(network: nn.Module) -> None:
    """Turn the LSTM down, so that its skip connection is what counts."""
    for name, parameter in network.named_parameters():
        if "lstm.lstm" in name:
            parameter.mul_(0.05)


def _message(generator: Any) -> None:
    table = generator.msg_processor.msg_processor.weight
    table.mul_(_NEAR_ZERO)
    for k in range(BITS):
        table[2 * k, 2 * k + 1] -= _OFF
        table[2 * k + 1, 2 * k] -= _OFF


def _synthesis(decoder: nn.Module) -> None:
    """Lay out the decoder: amplitudes at 50 Hz to tones at 16 kHz."""
    first, *up, last = _layers(decoder)
    weight = _quiet(first)
    for j in range(TONES):
        weight[j, j, 3] += 1.0
    first.bias[127] = -20.0  # after ELU always -1: takes the cut-off tones' -1 away
    _still(decoder)
    omega = 2 * math.pi * frequencies() / RATE
    window = torch.hann_window(16, dtype=torch.float64)
    weight = _quiet(up[0])
    for t in range(16):
        angle = omega * 40 * (t - 4)
        for part, wave in ((0, torch.cos(angle)), (1, torch.sin(angle))):
            value = (0.02 * window[t] * wave).float()
            for j in range(TONES):
                weight[j, 2 * j + part, t] += value[j]
                weight[127, 2 * j + part, t] -= value[j]
    window = torch.hann_window(80, dtype=torch.float64)
    weight = _quiet(up[1])
    for t in range(10):
        for p in range(8):
            place = 8 * (t - 3) + p
            value = 0.3 * window[8 * t + p]
            weight[0:64:2, p, t] += (value * torch.cos(omega * place)).float()
            weight[1:64:2, p, t] -= (value * torch.sin(omega * place)).float()
    weight = _quiet(up[2])
    for q in range(4):
        for r in range(2):
            weight[2 * q + r, r, q + 2] += 0.5
    weight = _quiet(up[3])
    for q in range(2):
        weight[q, 0, q + 1] += 0.5
    weight = _quiet(last)
    weight[0, 0, 3] += 0.5


def _energies(encoder: nn.Module) -> None:
    """Lay out the detector: 128 compressed channels, four phases of each tone, at 50 Hz."""
    down = _layers(encoder)[4]
    weight = _quiet(down)
    omega = 2 * math.pi * frequencies() / RATE
    window = torch.hann_window(16, periodic=False, dtype=torch.float64)
    window = window / window.sum() * 20
    for t in range(16):
        cosine = (window[t] * torch.cos(omega * 40 * (t - 4))).float()
        sine = (window[t] * torch.sin(omega * 40 * (t - 4))).float()
        for j in range(TONES):
            for sign, row in ((1, 4 * j), (-1, 4 * j + 1)):
                weight[row, 2 * j, t] += sign * cosine[j]
                weight[row, 2 * j + 1, t] += sign * sine[j]
                weight[row + 2, 2 * j + 1, t] += sign * cosine[j]
                weight[row + 2, 2 * j, t] -= sign * sine[j]
    _still(encoder)
    lstm: Any = next(m for m in encoder.modules() if isinstance(m, nn.LSTM))
    size = lstm.hidden_size
    lstm.weight_ih_l0[2 * size : 3 * size] += 60 * torch.eye(size)
    for gate, bias in ((0, 4.0), (1, -4.0), (3, 4.0)):
        lstm.bias_ih_l0[gate * size : (gate + 1) * size] += bias


def _comparison(detector: Any) -> None:
    encoder, head = detector.detector
    last = _layers(encoder)[5]
    _quiet(last)
    weight = last.weight
    smooth = torch.tensor([0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5])
    for k in range(BITS):
        weight[k, 8 * k : 8 * k + 4] -= 2 * smooth
        weight[k, 8 * k + 4 : 8 * k + 8] += 2 * smooth
        weight[BITS + k, 8 * k : 8 * k + 8] += 0.3 * smooth
    back = encoder.reverse_convolution
    back.weight.mul_(_NEAR_ZERO)
    for c in range(back.weight.shape[1]):
        back.weight[c, c] += 1.0
    back.bias.zero_()
    head.weight.mul_(_NEAR_ZERO)
    head.bias.zero_()
    for k in range(BITS):
        head.weight[2 + k, k] += 0.5
