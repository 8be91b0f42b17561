"""The first convolution, for any number of channels."""

import numpy as np


def adapt_first_kernel(kernel: np.ndarray, channels: int) -> np.ndarray:
    """Return the kernel of a first convolution for another number of input channels.

    One channel gets the sum over red, green and blue, so that a grey image gives what its three
    equal channels would have given. Any other number takes red, green and blue over and over, times
    3 / channels, which keeps the size of the response; this is what timm does, too.

    Args:
        kernel: float (height, width, 3, filters), for red, green and blue, or for any channels.
        channels: The channels of the new kernel, one or more.

    Returns:
        float (height, width, channels, filters), of the kernel's dtype.

    Example:
        >>> adapt_first_kernel(np.ones((3, 3, 3, 8), np.float32), 4)[0, 0, :, 0].tolist()
        [0.75, 0.75, 0.75, 0.75]
    """
    if channels == kernel.shape[2]:
        return kernel
    if channels == 1:
        return np.asarray(kernel.sum(axis=2, keepdims=True))
    turns = np.arange(channels) % kernel.shape[2]
    return np.asarray(kernel[:, :, turns] * (kernel.shape[2] / channels), kernel.dtype)
