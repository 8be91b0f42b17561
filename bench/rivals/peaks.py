"""What the machine's arithmetic can reach: by the product of two large matrices."""

from collections.abc import Callable

SIDE, REPETITIONS = 2048, 6


def peak_of(product: Callable[[int, str], float]) -> dict[str, float]:
    """Return multiply-adds per second, in thousand millions, by precision.

    Args:
        product: Takes the matrices' side and a precision; returns the seconds of their product.
    """
    return {
        precision: round(
            SIDE**3 / min(product(SIDE, precision) for _ in range(REPETITIONS)) / 1e9, 1
        )
        for precision in ("float32", "bfloat16")
    }
