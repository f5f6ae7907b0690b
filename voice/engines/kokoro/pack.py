"""Make the file of stock voices from the npm package kokoro-js.

::

    npm pack kokoro-js@1.2.1
    python -m voice.engines.kokoro.pack kokoro-js-1.2.1.tgz

writes ``data/voices.npz`` beside this module and prints, for every voice, how far its style rows
are from the originals.
"""

from __future__ import annotations

import argparse
import re
import tarfile
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from consent.errors import InputError
from consent.files import replacing
from voice.engines.kokoro.voices import FILE, ROWS, WIDTH

RANK = 12
_ENGLISH = re.compile(r"^[ab][fm]_[a-z]+$")


def read_package(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read the English style packs of a kokoro-js package.

    Returns
    -------
    dict
        By name, arrays of shape (510, 256).

    Raises
    ------
    InputError
        The file is not such a package.
    """
    voices: dict[str, NDArray[np.float32]] = {}
    try:
        with tarfile.open(path) as package:
            for member in package:
                file = PurePosixPath(member.name)
                if file.parent.name != "voices" or not _ENGLISH.match(file.stem):
                    continue
                stream = package.extractfile(member)
                if stream is not None:
                    rows = np.frombuffer(stream.read(), "<f4")
                    voices[file.stem] = rows.reshape(ROWS, WIDTH)
    except (OSError, tarfile.TarError, ValueError) as exc:
        raise InputError(f"{path} is not a kokoro-js package: {exc}") from exc
    if not voices:
        raise InputError(f"{path} holds no English voices", hint="npm pack kokoro-js@1.2.1")
    return dict(sorted(voices.items()))


def factorise(rows: NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
    """Split a voice into mean, directions and scaled coefficients, the best at rank 12.

    Half precision holds each coefficient column relative to its own scale.
    """
    mean = rows.mean(0).astype(np.float16)
    left, singular, right = np.linalg.svd(rows.astype(np.float64) - mean, full_matrices=False)
    coefficients = left[:, :RANK] * singular[:RANK]
    scales = np.abs(coefficients).max(0) + 1e-12
    return {
        "means": mean,
        "directions": right[:RANK].astype(np.float16),
        "scales": scales.astype(np.float32),
        "coefficients": (coefficients / scales).astype(np.float16),
    }


def write(voices: dict[str, NDArray[np.float32]], target: Path) -> None:
    """Write the archive, complete or not at all."""
    parts = [factorise(rows) for rows in voices.values()]
    stacked = {key: np.stack([part[key] for part in parts]) for key in parts[0]}
    with replacing(target) as stream:
        np.savez_compressed(stream, allow_pickle=False, names=np.array(list(voices)), **stacked)


def main() -> None:
    """Read the package named on the command line and write the data file."""
    parser = argparse.ArgumentParser(description="Pack Kokoro's English stock voices.")
    parser.add_argument("package", type=Path, help="kokoro-js-1.2.1.tgz")
    target = Path(__file__).with_name("data") / FILE
    originals = read_package(parser.parse_args().package)
    write(originals, target)
    from voice.engines.kokoro.voices import style

    worst = 0.0
    for name, rows in originals.items():
        error = np.abs(style(name) - rows)
        worst = max(worst, float(error.max()))
        print(f"{name:12} largest error {error.max():.5f}  mean {error.mean():.6f}")
    print(f"{len(originals)} voices, {target.stat().st_size} bytes, largest error {worst:.5f}")


if __name__ == "__main__":
    main()
