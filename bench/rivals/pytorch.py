"""One measurement of PyTorch, in a process of its own; prints a line of JSON.

Usage: python bench/rivals/pytorch.py TASK NETWORK CONFIGURATION SECONDS [smp]
TASK is "training" or "prediction COUNT..."; with "smp" the network is the U-Net of
segmentation_models.pytorch, else delineate's, layer by layer. RIVALS_DEVICE=cuda takes the GPU.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import networks
import numpy as np
import torch
import torch._inductor.config
from peaks import peak_of
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

CONFIGURATIONS: dict[str, dict[str, bool]] = {
    # As the documentation of both sets it up.
    "default": {},
    "channels-last": {"channels_last": True},
    "bfloat16": {"channels_last": True, "bfloat16": True},
    "compiled": {"channels_last": True, "compiled": True},
    "compiled bfloat16": {"channels_last": True, "bfloat16": True, "compiled": True},
}
DEVICE = os.environ.get("RIVALS_DEVICE", "cpu")
# Steps that compile and settle.
SETTLING = 3


class Block(nn.Sequential):
    """Two convolutions, each normalised."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__(
            nn.Conv2d(channels, filters, 3, padding=1, bias=False),
            nn.BatchNorm2d(filters),
            nn.ReLU(inplace=True),
            nn.Conv2d(filters, filters, 3, padding=1, bias=False),
            nn.BatchNorm2d(filters),
            nn.ReLU(inplace=True),
        )


class PlainUnet(nn.Module):
    """The U-Net that delineate's plain one is, layer by layer."""

    def __init__(self, filters: int, depth: int, classes: int) -> None:
        super().__init__()
        widths = [filters * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(
            Block(before, after) for before, after in zip([3, *widths], widths, strict=False)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(2 * width, width, 2, stride=2) for width in reversed(widths[:-1])
        )
        self.join = nn.ModuleList(Block(2 * width, width) for width in reversed(widths[:-1]))
        self.head = nn.Conv2d(filters, classes, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        skips = []
        for level, block in enumerate(self.down):
            image = block(image if level == 0 else nn.functional.max_pool2d(image, 2))
            skips.append(image)
        skips.pop()
        for up, join in zip(self.up, self.join, strict=True):
            image = join(torch.cat([up(image), skips.pop()], 1))
        return self.head(image)


class WideMobileNetV2(nn.Module):
    """The encoder of segmentation_models.pytorch, with the features that delineate's joins.

    They are the wide ones within the blocks that halve the image, and the last block's.
    """

    halving, last = (2, 4, 7, 14), 17
    out_channels = (3, 96, 144, 192, 576, 320)

    def __init__(self) -> None:
        super().__init__()
        from segmentation_models_pytorch.encoders import get_encoder

        self.features = get_encoder("mobilenet_v2", weights=None).features[: self.last + 1]

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        found = [image]
        for number, block in enumerate(self.features):
            if number in self.halving:
                expand, *rest = block.conv
                image = expand(image)
                found.append(image)
                for part in rest:
                    image = part(image)
            else:
                image = block(image)
        return [*found, image]


class OnEncoder(nn.Module):
    """The decoder that delineate's U-Net has, on an encoder of segmentation_models.pytorch."""

    def __init__(self, network: networks.Network) -> None:
        super().__init__()
        from segmentation_models_pytorch.encoders import get_encoder

        if network.rival == "mobilenet_v2":
            self.encoder = WideMobileNetV2()
        else:
            self.encoder = get_encoder(network.rival, weights=None)
        # The first feature is the image itself, which is not joined.
        skips = [*reversed(self.encoder.out_channels[1:-1]), 0]
        widths = network.decoder_filters
        before = [self.encoder.out_channels[-1], *widths]
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(channels, width, 2, stride=2)
            for channels, width in zip(before, widths, strict=False)
        )
        self.join = nn.ModuleList(
            Block(width + skip, width) for width, skip in zip(widths, skips, strict=True)
        )
        self.head = nn.Conv2d(widths[-1], network.classes, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        _, *skips, image = self.encoder(image)
        for up, join in zip(self.up, self.join, strict=True):
            image = up(image)
            image = join(torch.cat([image, skips.pop()], 1) if skips else image)
        return self.head(image)


def build(network: networks.Network, *, smp: bool = False) -> nn.Module:
    """Return the network, with weights drawn at random."""
    torch.manual_seed(0)
    if network.encoder == "plain":
        return PlainUnet(network.filters, network.depth, network.classes)
    if not smp:
        return OnEncoder(network)
    import segmentation_models_pytorch

    return segmentation_models_pytorch.Unet(
        network.rival,
        encoder_weights=None,
        decoder_channels=network.decoder_filters,
        classes=network.classes,
    )


@contextlib.contextmanager
def arithmetic(*, bfloat16: bool):
    """Compute in bfloat16 where it is safe, if that is asked for."""
    with torch.autocast(DEVICE, torch.bfloat16) if bfloat16 else contextlib.nullcontext():
        yield


class Contender:
    """A network in one of the configurations."""

    def __init__(
        self, network: networks.Network, name: str, *, training: bool, smp: bool = False
    ) -> None:
        said = CONFIGURATIONS[name]
        self.network, self.bfloat16 = network, said.get("bfloat16", False) and training
        last = said.get("channels_last", False)
        self.layout = torch.channels_last if last else torch.contiguous_format
        self.dtype = torch.float32
        if said.get("bfloat16") and not training:
            # Weights and all: autocast would turn the weights at each call.
            self.dtype = torch.bfloat16
        model = build(network, smp=smp).train(training)
        self.model = model.to(DEVICE, memory_format=self.layout, dtype=self.dtype)
        self.called = self.model
        if said.get("compiled"):
            # Constants are folded, batch normalisation among them, where nothing is trained.
            torch._inductor.config.freezing = not training
            self.called = torch.compile(self.model)

    def given(self, images: np.ndarray) -> torch.Tensor:
        """Return pixel values as the network takes them: scaled, channels first."""
        made = torch.from_numpy(images).to(DEVICE).permute(0, 3, 1, 2).float() / 255
        return made.to(self.dtype).contiguous(memory_format=self.layout)

    def stepper(self) -> Callable[[], object]:
        """Return a function that makes a step, with a batch that is in memory."""
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, weight_decay=1e-2)
        images, masks = networks.noise(self.network, self.network.batch_size)
        truth = torch.from_numpy(masks).long()

        def step() -> float:
            optimizer.zero_grad(set_to_none=True)
            with arithmetic(bfloat16=self.bfloat16):
                logits = self.called(self.given(images))
                loss = nn.functional.cross_entropy(logits.float(), truth.to(DEVICE))
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    def predicting(self, count: int) -> Callable[[], object]:
        """Return a function from uint8 images in memory to class ids."""
        images = networks.noise(self.network, count)[0].astype(np.uint8)

        def predict() -> np.ndarray:
            with torch.inference_mode(), arithmetic(bfloat16=self.bfloat16):
                logits = self.called(self.given(images))
            ids: np.ndarray = logits.argmax(1).to(torch.uint8).cpu().numpy()
            return ids

        return predict


def multiply_adds(network: networks.Network, *, smp: bool) -> int:
    """Return those of the convolutions for one image."""
    side = network.size
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        build(network, smp=smp).eval()(torch.zeros(1, 3, side, side))
    return counter.get_total_flops() // 2


def main() -> None:
    # At its best on a GPU; of no effect elsewhere.
    torch.backends.cudnn.benchmark = True
    if sys.argv[3] != "default":
        torch.set_float32_matmul_precision("high")
    task, name, configuration, seconds = sys.argv[1:5]
    network = networks.NETWORKS[name]
    kind, *numbers = task.split()
    smp = "smp" in sys.argv[5:]
    found = []
    for count in map(int, numbers or [network.batch_size]):
        # Each number of images is compiled as if it were the only one.
        torch._dynamo.reset()
        contender = Contender(network, configuration, training=kind == "training", smp=smp)
        act = contender.stepper() if kind == "training" else contender.predicting(count)
        found.append(networks.timed(act, count, float(seconds), settling=SETTLING))
    about: dict[str, Any] = {
        "parameters": sum(each.numel() for each in build(network, smp=smp).parameters()),
        "multiply_adds": multiply_adds(network, smp=smp),
        "peak": peak_of(_product),
        "version": torch.__version__,
    }
    print(json.dumps([each | about for each in found]))


def _product(side: int, precision: str) -> float:
    """Return the seconds that a product of two square matrices takes."""
    kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
    first, second = (torch.rand(side, side, device=DEVICE).to(kind) for _ in range(2))
    begun = time.perf_counter()
    torch.mm(first, second)[0, 0].item()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
