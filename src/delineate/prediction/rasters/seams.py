"""What neighbouring tiles share, kept until both are there."""

import numpy as np

from delineate.prediction.tiling import Span, weighted


class Seams:
    """Blended tiles as they come, row by row, and the blocks that no later tile adds to.

    Of a row of tiles only what it shares with the next one is kept, so that memory grows with the
    width of the image times the blending alone.

    Args:
        width: Of the image, in pixels.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._beside = np.zeros((0, 0, 0), np.float32)
        self._above = self._below = np.zeros((0, 0, 0), np.float32)

    def settle(self, found: np.ndarray, rows: Span, columns: Span) -> np.ndarray:
        """Return the block of pixels that no later tile adds to.

        Args:
            found: float32 (height, width, classes): the prediction of the next tile.
            rows: Where the tile lies.
            columns: Likewise.

        Returns:
            float32, of the size of ``rows.settled`` and ``columns.settled``.
        """
        if columns.start == 0:
            self._above, self._below = self._below, self._room(rows, found.shape[2])
        block = weighted(found, rows, columns)
        if columns.rise:
            block[:, : columns.rise] += self._beside
        wide = block.shape[1] - columns.fall
        self._beside, block = block[:, wide:].copy(), block[:, :wide]
        # Of the first row after an interruption only what it shares with the next one is asked for.
        if rows.rise and self._above.size:
            block[: rows.rise] += self._above[:, columns.settled]
        high = block.shape[0] - rows.fall
        self._below[:, columns.settled] = block[high:]
        return block[:high]

    def _room(self, rows: Span, classes: int) -> np.ndarray:
        return np.zeros((rows.fall, self.width, classes), np.float32)
