"""A whole training by PyTorch, with a plain loop or with Lightning; prints a line of JSON.

Usage: python bench/rivals/whole.py plain|lightning NETWORK CONFIGURATION DATA EPOCHS
The images lie decoded in memory; windows are cut and changed as by delineate's recipe
`unet-nuclei`, with Albumentations, in as many worker processes as there are cores. After each epoch
a tenth of the images is validated and a checkpoint written.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import albumentations as augmentations
import networks
import numpy as np
import pytorch as rival
import torch
from torch.utils.data import DataLoader, Dataset

import delineate as dl
from delineate.data.splitting.partition import partition

WORKERS = 2
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


def loaders(data: Path, network: networks.Network) -> tuple[DataLoader, DataLoader]:
    """Return the batches of training and validation, of the images that delineate takes too."""
    whole = partition(dl.Dataset.open(data), dl.Recipe.load("unet-nuclei").data, seed=0)
    made = []
    for part in ("train", "validation"):
        samples = [(sample.image[..., :3], sample.mask) for sample in whole.split(part)]
        windows = Windows(samples, network.size)
        made.append(
            DataLoader(
                windows,
                batch_size=network.batch_size,
                shuffle=part == "train",
                num_workers=WORKERS,
                persistent_workers=True,
            )
        )
    return made[0], made[1]


def plain(network: networks.Network, name: str, data: Path, epochs: int) -> list[float]:
    """Return the seconds of each epoch of a loop as anybody writes it."""
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
    return spent


def lightning(network: networks.Network, name: str, data: Path, epochs: int) -> list[float]:
    """Return the seconds of each epoch of Lightning's trainer."""
    import lightning as pl

    train, validation = loaders(data, network)
    contender = rival.Contender(network, name, training=True)

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = contender.model
            self.spent: list[float] = []

        def training_step(self, batch, _):
            return _loss(contender, *batch)

        def validation_step(self, batch, _):
            self.log("val_loss", _loss(contender, *batch))

        def configure_optimizers(self):
            return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=1e-2)

        def on_train_epoch_start(self):
            self.begun = time.perf_counter()

        def on_train_epoch_end(self):
            self.spent.append(time.perf_counter() - self.begun)

    module = Module()
    with tempfile.TemporaryDirectory() as folder:
        trainer = pl.Trainer(
            max_epochs=epochs,
            accelerator=rival.DEVICE,
            default_root_dir=folder,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            logger=False,
        )
        trainer.fit(module, train, validation)
    return module.spent


def _loss(contender: rival.Contender, images: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    images = images.to(rival.DEVICE, memory_format=contender.layout)
    with rival.arithmetic(bfloat16=contender.bfloat16):
        logits = contender.called(images)
        return torch.nn.functional.cross_entropy(logits.float(), masks.to(rival.DEVICE))


def main() -> None:
    loop, name, configuration, data, epochs = sys.argv[1:6]
    network = networks.NETWORKS[name]
    run = {"plain": plain, "lightning": lightning}[loop]
    spent = run(network, configuration, Path(data), int(epochs))
    windows = WINDOWS * 531
    print(json.dumps({"seconds": spent, "windows": windows}))


if __name__ == "__main__":
    main()
