"""One stream of audio cut into several."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from provenance.audio.pcm import FloatArray


class Cutter:
    """Cuts one stream into several at given positions."""

    def __init__(self, blocks: Iterator[FloatArray]) -> None:
        self._blocks = blocks
        self._rest: FloatArray = np.zeros(0, dtype=np.float32)
        self._position = 0

    def until(self, stop: int | None) -> Iterator[FloatArray]:
        """Yield what lies before sample `stop`; everything if None."""
        while stop is None or self._position < stop:
            block = self._rest if self._rest.size else next(self._blocks, None)
            if block is None:
                return
            part = block if stop is None else block[: stop - self._position]
            self._rest = block[part.size :]
            self._position += part.size
            yield part
