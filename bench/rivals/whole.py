"""A whole training by PyTorch, with a plain loop or with Lightning; prints a line of JSON.

Usage: python bench/rivals/whole.py plain|lightning NETWORK CONFIGURATION DATA EPOCHS
The images lie decoded in memory; windows are cut and changed as by delineate's recipe
`unet-nuclei`, with Albumentations, in as many worker processes as there are cores. After each epoch
the windows that delineate validates are validated, and a checkpoint is written.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import albumentations as augmentations
import cv2
import networks
import numpy as np
import pytorch as rival
import torch
from torch.utils.data import DataLoader, Dataset

import delineate as dl
from delineate.data.pipeline import ValidationWindows
from delineate.data.splitting.partition import partition

WORKERS = os.cpu_count() or 1
Spent = tuple[list[float], int]
# Of each image in an epoch, as by the recipe.
WINDOWS = 2


class Windows(Dataset):
    """Windows of images in memory, and their masks."""

    def __init__(self, samples: list[tuple[np.ndarray, np.ndarray]], side: int) -> None:
        self.samples = samples
        self.change = augmentations.Compose(
            [
                augmentations.PadIfNeeded(side, side),
                augmentations.RandomCrop(side, side),
                augmentations.HorizontalFlip(p=0.5),
                augmentations.VerticalFlip(p=0.5),
                augmentations.RandomRotate90(p=0.75),
                augmentations.Affine(scale=(0.7, 1.3), rotate=(-20, 20), shear=(-5, 5), p=0.5),
                augmentations.ElasticTransform(alpha=4, sigma=8, p=0.5),
                augmentations.ColorJitter(
                    brightness=(0.85, 1.15),
                    contrast=(0.7, 1.3),
                    saturation=(1, 1),
                    hue=(-0.05, 0.05),
                    p=1,
                ),
                augmentations.RandomGamma((70, 130), p=1),
                augmentations.GaussianBlur(sigma_limit=(0, 1), p=1),
                augmentations.GaussNoise(std_range=(0, 0.03), p=1),
            ]
        )

    def __len__(self) -> int:
        return WINDOWS * len(self.samples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image, mask = self.samples[index % len(self.samples)]
        found = self.change(image=image, mask=mask)
        pixels = torch.from_numpy(found["image"]).permute(2, 0, 1).float() / 255
        return pixels, torch.from_numpy(found["mask"]).long()


class Validation(Dataset):
    """The windows that delineate validates, as they are."""

    def __init__(self, whole: dl.Dataset, side: int) -> None:
        windows = ValidationWindows(whole.split("validation"), (side, side), "crop", 3)
        found = (windows.window(0, index) for index in range(len(windows)))
        self.windows = [(image.astype(np.uint8), mask) for image, mask in found]

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image, mask = self.windows[index]
        # delineate's 255 counts nowhere.
        return torch.from_numpy(image).permute(2, 0, 1).float() / 255, torch.from_numpy(mask).long()


def loaders(data: Path, network: networks.Network) -> tuple[DataLoader, DataLoader]:
    """Return the batches of training and validation, of the images that delineate takes too."""
    images = dl.Dataset.open(data).evenly(networks.IMAGES)
    whole = partition(images, dl.Recipe.load("unet-nuclei").data, seed=0)
    samples = [(sample.image[..., :3], sample.mask) for sample in whole.split("train")]
    parts = Windows(samples, network.size), Validation(whole, network.size)
    train, validation = (
        DataLoader(
            part,
            batch_size=network.batch_size,
            shuffle=number == 0,
            num_workers=WORKERS,
            persistent_workers=True,
            # Each worker has one core.
            worker_init_fn=lambda _: cv2.setNumThreads(0),
        )
        for number, part in enumerate(parts)
    )
    return train, validation


def plain(network: networks.Network, name: str, data: Path, epochs: int) -> Spent:
    """Return the seconds of each epoch of a loop as anybody writes it, and its windows."""
    train, validation = loaders(data, network)
    contender = rival.Contender(network, name, training=True)
    optimizer = torch.optim.AdamW(contender.model.parameters(), lr=1e-3, weight_decay=1e-2)
    spent = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(epochs):
            begun = time.perf_counter()
            contender.model.train()
            for images, masks in train:
                optimizer.zero_grad(set_to_none=True)
                _loss(contender, images, masks).backward()
                optimizer.step()
            contender.model.eval()
            with torch.inference_mode():
                for images, masks in validation:
                    _loss(contender, images, masks).item()
            torch.save(contender.model.state_dict(), Path(folder) / "last.pt")
            spent.append(time.perf_counter() - begun)
    return spent, len(train.dataset)


def lightning(network: networks.Network, name: str, data: Path, epochs: int) -> Spent:
    """Return the seconds of each epoch of Lightning's trainer, from one to the next."""
    import lightning as pl

    train, validation = loaders(data, network)
    contender = rival.Contender(network, name, training=True)

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = contender.model
            self.times: list[float] = []

        def training_step(self, batch, _):
            return _loss(contender, *batch)

        def validation_step(self, batch, _):
            self.log("val_loss", _loss(contender, *batch))

        def configure_optimizers(self):
            return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=1e-2)

        def on_train_epoch_start(self):
            self.times.append(time.perf_counter())

    module = Module()
    with tempfile.TemporaryDirectory() as folder:
        trainer = pl.Trainer(
            # The beginning of one is the end of the one before, checkpoint included.
            max_epochs=epochs + 1,
            accelerator=rival.DEVICE,
            default_root_dir=folder,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            logger=False,
        )
        trainer.fit(module, train, validation)
    return np.diff(module.times).tolist(), len(train.dataset)


def _loss(contender: rival.Contender, images: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    images = images.to(rival.DEVICE, memory_format=contender.layout)
    with rival.arithmetic(bfloat16=contender.bfloat16):
        logits = contender.called(images)
        return torch.nn.functional.cross_entropy(
            logits.float(), masks.to(rival.DEVICE), ignore_index=255
        )


def main() -> None:
    loop, name, configuration, data, epochs = sys.argv[1:6]
    network = networks.NETWORKS[name]
    run = {"plain": plain, "lightning": lightning}[loop]
    spent, windows = run(network, configuration, Path(data), int(epochs))
    print(json.dumps([{"seconds": spent, "windows": windows}]))


if __name__ == "__main__":
    main()
