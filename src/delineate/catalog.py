"""The tables: every name that a setting may have, and where its object lives.

To add a loss, a layout or a rule, write one function and add one line here. The contract tests,
``delineate show`` and the reference pages follow from these tables.
"""

from importlib import import_module
from typing import Any

from delineate.errors import UsageError, near_miss

LAYOUTS = {
    "beside": "delineate.data.layouts.beside:LAYOUT",
    "camvid": "delineate.data.layouts.camvid:LAYOUT",
    "classes": "delineate.data.layouts.classes:LAYOUT",
    "csv": "delineate.data.layouts.manifest:LAYOUT",
    "dsb2018": "delineate.data.layouts.dsb2018:LAYOUT",
    "folders": "delineate.data.layouts.folders:LAYOUT",
    "objects": "delineate.data.layouts.objects:LAYOUT",
    "pairs": "delineate.data.layouts.pairs:LAYOUT",
    "run_lengths": "delineate.data.layouts.run_lengths:LAYOUT",
    "voc": "delineate.data.layouts.voc:LAYOUT",
}

ENCODERS = {
    "convnextbase": "delineate.models.encoders.applications:CONVNEXTBASE",
    "convnextlarge": "delineate.models.encoders.applications:CONVNEXTLARGE",
    "convnextsmall": "delineate.models.encoders.applications:CONVNEXTSMALL",
    "convnexttiny": "delineate.models.encoders.applications:CONVNEXTTINY",
    "convnextxlarge": "delineate.models.encoders.applications:CONVNEXTXLARGE",
    "densenet121": "delineate.models.encoders.applications:DENSENET121",
    "densenet169": "delineate.models.encoders.applications:DENSENET169",
    "densenet201": "delineate.models.encoders.applications:DENSENET201",
    "efficientnetb0": "delineate.models.encoders.applications:EFFICIENTNETB0",
    "efficientnetb1": "delineate.models.encoders.applications:EFFICIENTNETB1",
    "efficientnetb2": "delineate.models.encoders.applications:EFFICIENTNETB2",
    "efficientnetb3": "delineate.models.encoders.applications:EFFICIENTNETB3",
    "efficientnetb4": "delineate.models.encoders.applications:EFFICIENTNETB4",
    "efficientnetb5": "delineate.models.encoders.applications:EFFICIENTNETB5",
    "efficientnetb6": "delineate.models.encoders.applications:EFFICIENTNETB6",
    "efficientnetb7": "delineate.models.encoders.applications:EFFICIENTNETB7",
    "efficientnetv2b0": "delineate.models.encoders.applications:EFFICIENTNETV2B0",
    "efficientnetv2b1": "delineate.models.encoders.applications:EFFICIENTNETV2B1",
    "efficientnetv2b2": "delineate.models.encoders.applications:EFFICIENTNETV2B2",
    "efficientnetv2b3": "delineate.models.encoders.applications:EFFICIENTNETV2B3",
    "efficientnetv2l": "delineate.models.encoders.applications:EFFICIENTNETV2L",
    "efficientnetv2m": "delineate.models.encoders.applications:EFFICIENTNETV2M",
    "efficientnetv2s": "delineate.models.encoders.applications:EFFICIENTNETV2S",
    "mitb0": "delineate.models.encoders.mit:MITB0",
    "mitb1": "delineate.models.encoders.mit:MITB1",
    "mitb2": "delineate.models.encoders.mit:MITB2",
    "mitb3": "delineate.models.encoders.mit:MITB3",
    "mitb4": "delineate.models.encoders.mit:MITB4",
    "mitb5": "delineate.models.encoders.mit:MITB5",
    "mobilenetv2": "delineate.models.encoders.applications:MOBILENETV2",
    "mobilenetv3large": "delineate.models.encoders.applications:MOBILENETV3LARGE",
    "mobilenetv3small": "delineate.models.encoders.applications:MOBILENETV3SMALL",
    "plain": "delineate.models.plain_unet:plain_encoder",
    "resnet101": "delineate.models.encoders.applications:RESNET101",
    "resnet101v2": "delineate.models.encoders.applications:RESNET101V2",
    "resnet18": "delineate.models.encoders.resnet:RESNET18",
    "resnet34": "delineate.models.encoders.resnet:RESNET34",
    "resnet50": "delineate.models.encoders.applications:RESNET50",
    "resnet50v2": "delineate.models.encoders.applications:RESNET50V2",
    "vgg16": "delineate.models.encoders.applications:VGG16",
}

DECODERS = {
    "attention_unet": "delineate.models.decoders.attention_unet:ATTENTION_UNET",
    "concat": "delineate.models.decoders.concat:CONCAT",
    "deeplabv3plus": "delineate.models.decoders.deeplabv3plus:DEEPLABV3PLUS",
    "fpn": "delineate.models.decoders.fpn:FPN",
    "linknet": "delineate.models.decoders.linknet:LINKNET",
    "pix2pix": "delineate.models.decoders.pix2pix:PIX2PIX",
    "pspnet": "delineate.models.decoders.pspnet:PSPNET",
    "segformer": "delineate.models.decoders.segformer:SEGFORMER",
    "unet": "delineate.models.decoders.unet:UNET",
    "unetplusplus": "delineate.models.decoders.unetplusplus:UNETPLUSPLUS",
}

LOSSES = {
    "binary_crossentropy": "delineate.losses.pixelwise:binary_crossentropy",
    "boundary": "delineate.losses.boundary:boundary",
    "categorical_crossentropy": "delineate.losses.pixelwise:categorical_crossentropy",
    "dice_over_batch": "delineate.losses.overlap:dice_over_batch",
    "dice_per_class": "delineate.losses.overlap:dice_per_class",
    "dice_per_image": "delineate.losses.overlap:dice_per_image",
    "focal": "delineate.losses.pixelwise:focal",
    "focal_tversky": "delineate.losses.overlap:focal_tversky",
    "lovasz": "delineate.losses.lovasz:lovasz",
    "sparse_categorical_crossentropy": "delineate.losses.pixelwise:sparse_categorical_crossentropy",
    "tversky": "delineate.losses.overlap:tversky",
}

METRICS = {
    "accuracy": "delineate.metrics:accuracy",
    "dice": "delineate.metrics:dice",
    "foreground_iou": "delineate.metrics:foreground_iou",
    "mean_iou": "delineate.metrics:mean_iou",
}

RULES = {
    "D101": "delineate.data.checking.rules.files:unreadable_file",
    "D102": "delineate.data.checking.rules.files:size_mismatch",
    "D103": "delineate.data.checking.rules.files:missing_partner",
    "D104": "delineate.data.checking.rules.files:near_miss_names",
    "D105": "delineate.data.checking.rules.files:turned_mask",
    "D106": "delineate.data.checking.rules.files:exif_turned",
    "D107": "delineate.data.checking.rules.files:channel_files",
    "D200": "delineate.data.checking.rules.labels:label_values",
    "D201": "delineate.data.checking.rules.labels:values_0_255",
    "D202": "delineate.data.checking.rules.masks:empty_masks",
    "D203": "delineate.data.checking.rules.masks:absent_class",
    "D204": "delineate.data.checking.rules.masks:overlapping_objects",
    "D205": "delineate.data.checking.rules.labels:blended_masks",
    "D206": "delineate.data.checking.rules.colours:unknown_colours",
    "D207": "delineate.data.checking.rules.colours:colours_as_classes",
    "D208": "delineate.data.checking.rules.masks:imbalance",
    "D209": "delineate.data.checking.rules.masks:small_objects",
    "D210": "delineate.data.checking.rules.labels:palettes_differ",
    "D211": "delineate.data.checking.rules.masks:mask_is_the_image",
    "D212": "delineate.data.checking.rules.masks:mostly_ignored",
    "D213": "delineate.data.checking.rules.labels:gaps_in_ids",
    "D214": "delineate.data.checking.rules.masks:inverted_masks",
    "D215": "delineate.data.checking.rules.labels:numbers_of_objects",
    "D301": "delineate.data.checking.rules.splits:near_duplicates_across_splits",
    "D302": "delineate.data.checking.rules.splits:near_duplicates_found",
    "D303": "delineate.data.checking.rules.splits:leaking_groups",
    "D304": "delineate.data.checking.rules.splits:copies_across_splits",
    "D305": "delineate.data.checking.rules.splits:copies_with_other_masks",
    "D306": "delineate.data.checking.rules.splits:sequences_across_splits",
    "D307": "delineate.data.checking.rules.splits:small_split",
    "D401": "delineate.data.checking.rules.images:mixed_channels",
    "D402": "delineate.data.checking.rules.images:mixed_depth",
    "D403": "delineate.data.checking.rules.images:blank_image",
    "D404": "delineate.data.checking.rules.images:unused_range",
    "D405": "delineate.data.checking.rules.images:odd_one_out",
    "D501": "delineate.data.checking.rules.description:description_without_effect",
    "D502": "delineate.data.checking.rules.description:void_is_not_said",
}

RUNTIMES = {
    "keras": "delineate.prediction.runtimes.keras:KerasRuntime",
    "litert": "delineate.prediction.runtimes.litert:LiteRtRuntime",
    "onnx": "delineate.prediction.runtimes.onnx:OnnxRuntime",
    "openvino": "delineate.prediction.runtimes.openvino:OpenVinoRuntime",
    "savedmodel": "delineate.prediction.runtimes.savedmodel:SavedModelRuntime",
    "tensorrt": "delineate.prediction.runtimes.onnx:TensorRtRuntime",
}

FORMATS = {
    "litert": "delineate.exporting.formats:LITERT",
    "onnx": "delineate.exporting.formats:ONNX",
    "openvino": "delineate.exporting.formats:OPENVINO",
    "savedmodel": "delineate.exporting.formats:SAVEDMODEL",
    "tensorrt": "delineate.exporting.formats:TENSORRT",
}

TABLES = {
    "layouts": LAYOUTS,
    "encoders": ENCODERS,
    "decoders": DECODERS,
    "losses": LOSSES,
    "metrics": METRICS,
    "rules": RULES,
    "runtimes": RUNTIMES,
    "formats": FORMATS,
}


def find(table: str, name: str) -> Any:
    """Return the object that a table has under a name, or that ``module:object`` names.

    Args:
        table: The table's own name, a key of ``TABLES``.
        name: A name in that table, or ``package.module:object`` of the user's own.

    Raises:
        UsageError: The table has no such name, or the module or object does not exist.

    Example:
        >>> find("layouts", "folders").name
        'folders'
    """
    known = TABLES[table]
    if name not in known and ":" not in name:
        raise UsageError(
            f"There is no '{name}' among the {table}.{near_miss(name, list(known))}",
            hint=f"Use one of: {', '.join(known)}; or package.module:object of your own.",
        )
    module, _, attribute = known.get(name, name).partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError, SyntaxError, TypeError, ValueError) as error:
        raise UsageError(
            f"'{name}' cannot be loaded: {error}.",
            hint="Check the module's path and the object's name, and that it can be imported.",
        ) from error
