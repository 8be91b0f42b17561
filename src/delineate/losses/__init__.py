"""Losses on logits, with an ignore value everywhere.

Each loss in the table takes ``truth``, int32 class ids (batch, height, width), and ``logits``,
float32 (batch, height, width, channels), where one channel stands for two classes; by keyword
``output`` ("softmax" or "sigmoid"), ``ignore`` (the id that never counts) and ``options``. It
returns a scalar, 0 where all pixels are ignored; it and its gradient are finite in every case.
"""

from delineate.data.classes import IGNORE
from delineate.losses.options import LossOptions
from delineate.losses.segmentation import SegmentationLoss

__all__ = ["IGNORE", "LossOptions", "SegmentationLoss"]
