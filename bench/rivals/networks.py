"""The networks that are timed on both sides, and how."""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Network:
    """A network that both sides can build.

    Attributes:
        encoder: delineate's name for the encoder.
        rival: That of segmentation_models.pytorch.
        size: Side of the images, in pixels.
        batch_size: Images in a step of training.
        decoder_filters: Channels of the decoder's stages.
        skip_filters: Channels to which delineate narrows what it joins there.
        filters: Of a plain U-Net, at full resolution.
        depth: Of a plain U-Net.
        classes: Number of classes.
    """

    encoder: str
    rival: str = ""
    size: int = 128
    batch_size: int = 16
    decoder_filters: tuple[int, ...] = (256, 128, 64, 32, 16)
    skip_filters: tuple[int, ...] = ()
    filters: int = 32
    depth: int = 4
    classes: int = 2


NETWORKS = {
    "plain 128": Network("plain"),
    "mobilenetv2 128": Network("mobilenetv2", "mobilenet_v2"),
    "densenet121 256": Network("densenet121", "densenet121", size=256, batch_size=8),
}


# Of a data set that whole trainings take.
IMAGES = 160


def noise(network: Network, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images (count, side, side, 3) float32 in 0 to 255, and int32 masks of them."""
    rng = np.random.default_rng(0)
    shape = (count, network.size, network.size)
    images = rng.integers(0, 256, (*shape, 3)).astype(np.float32)
    return images, rng.integers(0, network.classes, shape).astype(np.int32)


def timed(
    act: Callable[[], object], count: int, seconds: float, *, settling: int
) -> dict[str, float | int]:
    """Return how fast something is that handles so many images when it is called.

    Args:
        act: What is timed.
        count: Images in a call.
        seconds: For how long, at the least; three calls at the least.
        settling: Calls before that are not timed.
    """
    begun = time.perf_counter()
    for _ in range(settling):
        act()
    first = time.perf_counter() - begun
    spent: list[float] = []
    while sum(spent) < seconds or len(spent) < 3:
        before = time.perf_counter()
        act()
        spent.append(time.perf_counter() - before)
    return {
        "images_per_second": round(count / float(np.median(spent)), 3),
        "p50_ms": round(1000 * float(np.percentile(spent, 50)), 3),
        "p99_ms": round(1000 * float(np.percentile(spent, 99)), 3),
        "calls": len(spent),
        "settling_seconds": round(first, 2),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
