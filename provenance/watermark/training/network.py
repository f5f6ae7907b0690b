"""The networks that are trained, how a mark that changes over time is made, and its level."""

from __future__ import annotations

import os
from typing import Any

# Read by audioseal on import: compiling for every new length costs more than it saves.
os.environ.setdefault("NO_TORCH_COMPILE", "1")

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RATE = 16_000
HOP = 320
"""Samples per frame of the hidden layer: 20 ms."""

BITS = 16

_LEVEL_WINDOW = 1024  # 64 ms: about what a loud sound hides before and after itself
_LEVEL_STEP = 160
_WINDOW = 512
_FLOOR = 2e-10  # power of a cell at -120 dBFS: what the mark may have under digital silence
_HARMLESS = 2e-5  # at -70 dBFS: a mark below needs no lesson, it is only turned down


def card(*, n_filters: int = 8, dimension: int = 32, lstm: int = 1) -> dict[str, Any]:
    """Return the SEANet settings, in the form audioseal's own cards have."""
    return {
        "activation": "ELU",
        "activation_params": {"alpha": 1.0},
        "causal": False,
        "channels": 1,
        "compress": 2,
        "dilation_base": 2,
        "dimension": dimension,
        "disable_norm_outer_blocks": 0,
        "kernel_size": 7,
        "last_kernel_size": 7,
        "lstm": lstm,
        "n_filters": n_filters,
        "n_residual_layers": 1,
        "norm": "none",
        "norm_params": {},
        "pad_mode": "constant",
        "ratios": [8, 5, 4, 2],
        "residual_kernel_size": 3,
        "true_skip": True,
    }


def build(seanet: dict[str, Any]) -> tuple[Any, Any]:
    """Return (generator, detector), freshly initialised by audioseal's builder.

    Returns
    -------
    audioseal.models.AudioSealWM, audioseal.models.AudioSealDetector
    """
    from audioseal import builder

    shape = builder.SEANetConfig(**seanet)
    decoder = builder.DecoderConfig(None, None, 1.0)
    generator = builder.create_generator(builder.AudioSealWMConfig(BITS, shape, decoder))
    detector = builder.create_detector(
        builder.AudioSealDetectorConfig(BITS, shape, builder.DetectorConfig(32))
    )
    return generator, detector


def make_loud(generator: Any, factor: float = 20.0) -> None:
    """Scale the last convolution up: from a cold start nothing is learned of a faint mark."""
    with torch.no_grad():
        last = [m for m in generator.decoder.modules() if isinstance(m, nn.Conv1d)][-1]
        last.weight.mul_(factor)


def relearn_bits(generator: Any, detector: Any, bits: list[int], *, head: float = 1.0) -> None:
    """Start some bits of a message anew, and cool the others' confidence.

    The embedding's two rows of such a bit are set apart along a direction no other bit uses;
    the detector's row is made small and random.

    Parameters
    ----------
    bits
        Which, 0 to 15.
    head
        Factor on the detector's rows of the other bits: an over-confident head that is wrong
        at times drowns the gradients of the rest.
    """
    table = generator.msg_processor.msg_processor.weight
    last = detector.detector[1]
    with torch.no_grad():
        last.weight[2:].mul_(head)
        last.bias[2:].mul_(head)
        span = table[1::2] - table[0::2]
        kept = [k for k in range(BITS) if k not in bits]
        basis = torch.linalg.qr(span[kept].T).Q
        for k in bits:
            direction = torch.randn(table.shape[1])
            direction -= basis @ (basis.T @ direction)
            direction *= span[kept].norm(dim=1).mean() / direction.norm()
            basis = torch.cat([basis, (direction / direction.norm())[:, None]], dim=1)
            table[2 * k] = -direction / 2
            table[2 * k + 1] = direction / 2
            last.weight[2 + k] = torch.randn_like(last.weight[2 + k]) * 0.05
            last.bias[2 + k] = 0


def watermark(generator: Any, x: Tensor, words: Tensor) -> Tensor:
    """Return the mark whose message may change from frame to frame.

    With the same word in every frame this is ``generator.get_watermark(x, message=word)``:
    the message is added to the hidden layer of each frame by itself.

    Parameters
    ----------
    x : Tensor, shape (batch, 1, samples)
    words : Tensor, shape (batch, frames, 16)
        0 or 1; ``frames = ceil(samples / 320)``.

    Returns
    -------
    Tensor, shape (batch, 1, samples)
    """
    hidden = generator.encoder(x)
    table = generator.msg_processor.msg_processor.weight
    zero, one = table[0::2], table[1::2]
    added = zero.sum(0) + words.to(table.dtype) @ (one - zero)
    frames = hidden.shape[-1]
    mark: Tensor = generator.decoder(hidden + added[:, :frames].transpose(1, 2))
    return mark[..., : x.shape[-1]]


def level(x: Tensor) -> Tensor:
    """Return the RMS level around each sample (64 ms), of the shape of `x`."""
    power = F.avg_pool1d(
        F.pad(x.square(), (_LEVEL_WINDOW // 2, _LEVEL_WINDOW // 2)), _LEVEL_WINDOW, _LEVEL_STEP
    )
    smooth = F.interpolate(power, size=x.shape[-1], mode="linear", align_corners=False)
    return (smooth + 1e-14).sqrt()


def limit(x: Tensor, mark: Tensor, margin_db: float) -> tuple[Tensor, Tensor]:
    """Turn the mark down in each cell of time and frequency where it would stand out.

    Cells are 31 Hz by 8 ms, seen through windows of 32 ms. Sound and mark are first spread over
    seven bins and five frames, about as hearing does, then compared.

    Parameters
    ----------
    x, mark : Tensor, shape (batch, 1, samples)
    margin_db
        How far the mark has to be below the sound in every cell.

    Returns
    -------
    limited : Tensor
        The mark, of the shape of `mark`.
    excess : Tensor, shape (batch, bins, frames)
        By how much it was too loud, as the natural logarithm of the ratio of amplitudes; 0 or
        less where it was not, and where it is fainter than anybody hears.
    """
    window = torch.hann_window(_WINDOW)

    def cells(wave: Tensor) -> Tensor:
        return torch.stft(wave[:, 0], _WINDOW, _WINDOW // 4, window=window, return_complex=True)

    def spread(spectrum: Tensor) -> Tensor:
        power = spectrum.real.square() + spectrum.imag.square()
        return F.avg_pool2d(power[:, None], (7, 5), 1, (3, 2), count_include_pad=False)[:, 0]

    allowed = spread(cells(x)) * 10 ** (-margin_db / 10) + _FLOOR
    spectrum = cells(mark)
    made = spread(spectrum)
    gain = (allowed / (made + _FLOOR)).clamp(max=1).sqrt()
    excess = 0.5 * torch.log((made + _HARMLESS) / (allowed + _HARMLESS))
    limited = torch.istft(spectrum * gain, _WINDOW, _WINDOW // 4, window=window, length=x.shape[-1])
    return limited[:, None], excess


def logits(detector: Any, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return the detector's raw outputs.

    Parameters
    ----------
    y : Tensor, shape (batch, 1, samples)

    Returns
    -------
    presence : Tensor, shape (batch, samples)
        Logit of being marked; audioseal's softmax of two is its sigmoid.
    bits : Tensor, shape (batch, 16, samples)
    """
    raw = detector.detector(y)
    return raw[:, 1] - raw[:, 0], raw[:, 2:]


def frames(values: Tensor, hop: int = HOP) -> Tensor:
    """Average the last axis over whole frames of `hop` samples."""
    count = values.shape[-1] // hop
    return values[..., : count * hop].reshape(*values.shape[:-1], count, hop).mean(-1)
