"""The recipe: every setting of a training, as one frozen typed object and one TOML file.

Each setting's description is its manual: ``docs/reference/recipe.md`` and the comments that
:func:`write_recipe` puts into a file are made from it.
"""

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from delineate.errors import RecipeError, near_miss, refused_value

Share = Annotated[float, Field(ge=0, le=1)]
Stride = Literal[2, 4, 8, 16, 32]
ObjectTarget = Literal["boundary", "distance"]
Size = tuple[Annotated[int, Field(ge=8, le=16384)], Annotated[int, Field(ge=8, le=16384)]]

# What is done once to each whole image: see normalisation.py.
Normalisation = Literal["none", "range", "percentile", "channel", "stain"]


class Section(BaseModel):
    """What all sections have in common: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _none_is_unset(cls, value: object, info: ValidationInfo) -> object:
        # TOML has no null; "none" may also be a value of its own, as in model.normalisation.
        annotation = cls.model_fields[str(info.field_name)].annotation
        optional = type(None) in get_args(annotation)
        return None if value == "none" and optional else value


class Data(Section):
    """What is read, how it is brought to the network's size, and how it is split."""

    size: Size = Field((256, 256), description="(height, width) in pixels that the network sees")
    fit: Literal["crop", "resize"] = Field(
        "crop",
        description="crop: windows at native resolution; resize: the whole image at `size`",
    )
    tile: int = Field(
        1024,
        ge=64,
        le=16384,
        multiple_of=32,
        description="larger images are predicted in overlapping tiles of this side, pixels "
        "(fit = crop)",
    )
    crops_per_image: int = Field(
        1, ge=1, le=1000, description="windows drawn from each image per epoch (fit = crop)"
    )
    oversample: Share = Field(
        0.0,
        description="share of the windows that are laid around a pixel of a class, each class but "
        "the background equally often (fit = crop)",
    )
    oversample_kinds: Share = Field(
        0.0,
        description="share of the windows of which the kind of picture is drawn first, by the "
        "square root of the number of its images, so that rare kinds are seen more often",
    )
    channels: int | None = Field(
        None, ge=1, le=64, description="input channels; unset: as many as the images have"
    )
    normalise: Normalisation = Field(
        "none",
        description="done to each whole image first: range: smallest to largest value stretched "
        "over the range of the type; percentile: 1st to 99.8th percentile; channel: likewise, each "
        "channel by itself; stain: haematoxylin and eosin as in a reference (8-bit RGB)",
    )
    validation: Share = Field(0.1, description="share of the images held out for validation")
    test: Share = Field(0.1, description="share of the images held out for the test")
    near_duplicates: Literal["together", "ignore"] = Field(
        "together", description="together: near-duplicate images stay on one side of a split"
    )
    kinds: Literal["balance", "together", "ignore"] = Field(
        "balance",
        description="kinds of picture: balance: each kind in every split; together: each kind on "
        "one side; ignore: by chance",
    )
    check: Literal["refuse", "tell", "none"] = Field(
        "refuse",
        description="the rules of `delineate check`, before a training: refuse: errors stop it; "
        "tell: they are only told; none: not looked for",
    )
    unreadable: Literal["refuse", "skip"] = Field(
        "refuse",
        description="images that cannot be read: refuse: the first one stops the training; skip: "
        "they are named and left out, in mid-training another window takes the place",
    )
    links: Literal["refuse", "follow"] = Field(
        "refuse",
        description="files of the data set outside of its folder, by links or by a table's paths",
    )
    cache: bool = Field(True, description="keep decoded images and merged masks on disk")


class Augment(Section):
    """Random changes of the training samples. All zero or false: none."""

    flip: bool | Literal["left_right", "up_down"] = Field(
        True, description="mirror left-right and up-down, each half of the time; or only one way"
    )
    quarter_turns: bool = Field(True, description="turn by 0, 90, 180 or 270 degrees")
    scale: float = Field(
        0.0, ge=0, le=0.9, description="zoom by a factor between 1 - scale and 1 / (1 - scale)"
    )
    rotation: float = Field(0.0, ge=0, le=180, description="degrees, either way")
    shear: float = Field(0.0, ge=0, le=45, description="degrees, either way")
    elastic: float = Field(
        0.0, ge=0, le=100, description="largest displacement of the elastic grid, pixels"
    )
    warp_probability: Share = Field(
        1.0, description="share of samples that are scaled, rotated, sheared or bent at all"
    )
    light_probability: Share = Field(
        1.0, description="share of samples in whose intensities anything is changed at all"
    )
    brightness: Share = Field(0.0, description="shift by up to this share of the value range")
    contrast: float = Field(
        0.0, ge=0, le=0.95, description="contrast factor between 1 - x and 1 / (1 - x)"
    )
    gamma: float = Field(0.0, ge=0, le=0.9, description="exponent between 1 - x and 1 / (1 - x)")
    hue: Share = Field(0.0, description="hue shift, in turns of the colour circle (RGB only)")
    grey: Share = Field(0.0, description="share of samples that lose their colours (RGB only)")
    invert: Share = Field(
        0.0,
        description="share of samples that become their negative: bright on dark, dark on bright",
    )
    blur: float = Field(0.0, ge=0, le=20, description="largest sigma of a Gaussian blur, pixels")
    noise: Share = Field(
        0.0, description="largest standard deviation of Gaussian noise, share of the value range"
    )
    compression: Share = Field(
        0.0, description="share of samples that go through a JPEG of random quality (8 bit only)"
    )
    copy_paste: Share = Field(
        0.0,
        description="share of windows onto which objects of another image of the same kind are "
        "pasted (data with objects)",
    )


class Model(Section):
    """The network."""

    encoder: str = Field("plain", description="name in the table of encoders")
    decoder: str = Field("unet", description="name in the table of decoders")
    depth: int | None = Field(
        None,
        ge=1,
        le=8,
        description="number of times the resolution is halved; unset: 4 for plain, 5 for others",
    )
    width: float = Field(
        1.0, gt=0, le=4, description="factor on the channels of a MobileNet (its alpha)"
    )
    weights: str | None = Field(
        None,
        description="what the encoder begins with: imagenet (downloaded), or the path of a Keras "
        "weights file, a Keras model, a PyTorch checkpoint or a safetensors file; unset: nothing",
    )
    freeze: Literal["none", "all"] | Stride = Field(
        "none",
        description="what of the encoder is not trained: none, all, or its layers from the image "
        "down to a stride (2, 4, 8, 16 or 32)",
    )
    statistics: Literal["trained", "frozen"] = Field(
        "trained",
        description="batch normalisation of the encoder: frozen: it stays in inference mode, as "
        "it always does in layers that are not trained",
    )
    filters: int = Field(
        16, ge=1, le=1024, description="channels at full resolution; doubled at each depth"
    )
    largest_filters: int = Field(1024, ge=1, le=8192, description="bound of the doubling")
    decoder_filters: tuple[Annotated[int, Field(ge=1, le=8192)], ...] = Field(
        (),
        description="channels of the decoder's stages, the deepest first; empty: by `filters`, or "
        "what the decoder's authors took",
    )
    skip_filters: tuple[Annotated[int, Field(ge=1, le=8192)], ...] = Field(
        (),
        description="channels to which a 1×1 convolution brings a feature before it is joined, "
        "the deepest first; those without a number are joined as they are (unet, attention_unet)",
    )
    convolutions: int = Field(2, ge=1, le=8, description="convolutions per block")
    kernel_size: Literal[1, 3, 5, 7] = Field(3, description="side of the convolution kernels")
    dropout: tuple[Annotated[float, Field(ge=0, lt=1)], ...] = Field(
        (0.0,),
        description="share of activations dropped in each block, from full resolution down to the "
        "bottom; the last value holds for all deeper ones",
    )
    normalisation: Literal["none", "batch", "group"] = Field(
        "batch", description="normalisation after each convolution"
    )
    activation: str = Field("relu", description="a Keras activation: relu, elu, gelu, silu, ...")
    downsampling: Literal["max", "average", "convolution"] = Field(
        "max", description="max or average pooling, or a convolution of stride 2"
    )
    upsampling: Literal["transposed", "bilinear"] = Field(
        "transposed", description="transposed convolution, or 1×1 and bilinear"
    )
    initialiser: str = Field("he_normal", description="a Keras initialiser for the kernels")
    deep_supervision: bool = Field(
        False, description="the loss also looks at the decoder's inner outputs (unetplusplus)"
    )
    head: Literal["convolution", "transposed"] = Field(
        "convolution",
        description="what makes the logits where a decoder ends below full resolution: a 1×1 "
        "convolution, enlarged bilinearly, or a transposed convolution",
    )
    output: Literal["softmax", "sigmoid"] = Field(
        "softmax", description="sigmoid with two classes is one channel in the network"
    )
    objects: Literal["none", "boundary", "distance", "both"] = Field(
        "none",
        description="what the network also says, to tell touching objects apart: where their rims "
        "are, how far a pixel is from its object's end, or both (data with objects)",
    )
    input_scale: float | None = Field(
        None,
        gt=0,
        description="factor on the stored values, inside the graph; unset: 1 / the largest value "
        "of the images' type, for an input in [0, 1]",
    )


class Loss(Section):
    """What is minimised: a weighted sum of named losses."""

    terms: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=lambda: {"sparse_categorical_crossentropy": 1.0},
        description="weight of each loss, by its name in the table of losses",
    )
    class_weights: (
        Literal["none", "inverse", "root_inverse", "median_frequency"]
        | tuple[Annotated[float, Field(ge=0)], ...]
    ) = Field(
        "none",
        description="weight of each class, background first; or from the training masks: inverse: "
        "1 / share, root_inverse: its square root, median_frequency: median / share, each share "
        "of those images that have the class",
    )
    objects: float = Field(
        1.0, gt=0, description="weight of what is learnt of objects (model.objects), each"
    )
    label_smoothing: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of each target that is spread over all classes (losses of pixels only)",
    )
    focal_gamma: float = Field(2.0, ge=0, le=10, description="exponent of the focal loss")
    tversky_false_positives: float = Field(
        0.3, ge=0, le=1, description="weight of false positives in Tversky losses"
    )
    tversky_false_negatives: float = Field(
        0.7, ge=0, le=1, description="weight of false negatives in Tversky losses"
    )
    focal_tversky_exponent: float = Field(
        0.75, gt=0, le=4, description="exponent of the focal Tversky loss"
    )


class Training(Section):
    """How the weights are found."""

    epochs: int = Field(30, ge=1, le=100_000, description="passes over the training images")
    batch_size: int = Field(16, ge=1, le=4096, description="samples per step")
    smaller_batch: bool = Field(
        False,
        description="where a step does not fit into the memory, halve the batch and begin anew, "
        "unless something is saved already",
    )
    optimizer: str = Field("adam", description="a Keras optimizer: adam, adamw, sgd, ...")
    learning_rate: float = Field(1e-3, gt=0, le=10, description="at the start")
    weight_decay: float = Field(0.0, ge=0, le=1, description="decoupled weight decay")
    encoder_rate: float = Field(
        1.0, gt=0, le=100, description="factor on the learning rate of the encoder"
    )
    unfreeze_after: int | None = Field(
        None, ge=1, description="epochs after which all of the encoder is trained; unset: never"
    )
    schedule: Literal["constant", "cosine"] = Field(
        "constant", description="cosine: down to zero over all steps"
    )
    warmup: Share = Field(
        0.0, description="share of all steps over which the learning rate first rises"
    )
    clip_norm: float | None = Field(
        None,
        gt=0,
        description="longest gradient, over all weights (encoder and rest by themselves, where "
        "encoder_rate is not 1): a longer one is shortened; unset: none is",
    )
    accumulate: int = Field(
        1, ge=1, le=1024, description="batches whose mean gradient makes one change of the weights"
    )
    average: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="moving average of the weights, which is then validated, drawn and saved in "
        "their place: the share of it that each step keeps, such as 0.999, of which the first "
        "steps should be forgotten by the end; statistics are not averaged; 0: none",
    )
    budget: float | None = Field(
        None,
        gt=0,
        description="minutes from the command's beginning to its end: as many steps are made as "
        "fit, and `epochs` is the most; unset: all epochs",
    )
    folds: int = Field(
        1,
        ge=1,
        le=100,
        description="trainings, each of which holds out another part of the images; together they "
        "make one bundle, whose members' probabilities are averaged; 1: one training",
    )
    metrics: tuple[str, ...] = Field(
        ("accuracy", "mean_iou", "dice"), description="scores followed while training"
    )
    validate_every: int = Field(
        1, ge=1, le=100_000, description="epochs from one validation to the next; the last has one"
    )


class Callbacks(Section):
    """What happens around the steps."""

    best: str = Field(
        "val_loss",
        description="the score by which `best/` is chosen; last: the newest epoch, whatever its "
        "scores, so that the validation images choose nothing",
    )
    early_stopping: str | None = Field("val_loss", description="the score to watch; unset: never")
    early_stopping_patience: int = Field(10, ge=0, description="epochs without a gain")
    reduce_on_plateau: str | None = Field(None, description="the score to watch; unset: never")
    reduce_patience: int = Field(5, ge=0, description="epochs without a gain")
    reduce_factor: float = Field(0.1, gt=0, lt=1, description="factor on the learning rate")
    reduce_floor: float = Field(1e-6, ge=0, description="smallest learning rate")
    minimum_gain: float = Field(
        0.0, ge=0, description="smaller gains count as none; `best/` takes any gain"
    )
    save_steps: int = Field(0, ge=0, description="also save every so many steps; 0: epochs only")
    save_minutes: float = Field(
        0.0, ge=0, description="also save when so many minutes have passed; 0: epochs only"
    )
    pictures: int = Field(4, ge=0, le=64, description="validation images drawn after each epoch")
    tensorboard: bool = Field(False, description="write events for TensorBoard")


class Refiner(Section):
    """A second network that corrects the first one's probabilities, trained against a critic."""

    use: Literal["none", "after", "together"] = Field(
        "none", description="after: trained when the first network is; together: with it"
    )
    epochs: int = Field(10, ge=1, le=100_000, description="passes over the training images")
    learning_rate: float = Field(2e-4, gt=0, le=1, description="of both networks (Adam)")
    filters: int = Field(32, ge=1, le=1024, description="channels at full resolution")
    depth: int = Field(4, ge=1, le=8, description="number of times the resolution is halved")
    critic_filters: int = Field(
        64, ge=1, le=1024, description="channels of the critic's first layer"
    )
    critic_depth: int = Field(
        3, ge=1, le=6, description="times the critic halves the resolution: the size of its patches"
    )
    adversarial_weight: float = Field(1.0, ge=0, description="weight of what the critic says")
    fidelity: Literal["crossentropy", "l1", "loss"] = Field(
        "crossentropy",
        description="how far the refined mask is from the truth: by cross-entropy, by the mean "
        "absolute difference of probabilities, or by the recipe's own [loss]",
    )
    fidelity_weight: float = Field(100.0, ge=0, description="weight of the fidelity")


class Evaluation(Section):
    """How `evaluate` scores and draws."""

    boundary: bool = Field(True, description="boundary scores (slower)")
    report: bool = Field(True, description="score the validation part when a training ends")
    cases: int = Field(6, ge=0, le=64, description="best and worst images drawn, each")


class Post(Section):
    """From the network's output to the class mask and the objects."""

    threshold: Share = Field(0.5, description="for two classes: foreground from here on")
    averaging: Literal["none", "mirror", "flips", "turns"] = Field(
        "none",
        description="what is predicted besides, and averaged: mirror: the image left-right; flips: "
        "both ways, 4 in all; turns: all 8 ways to lay it down",
    )
    scales: tuple[Annotated[float, Field(gt=0.1, le=4)], ...] = Field(
        (), description="the image is predicted at these factors of its size too, and averaged"
    )
    smallest_object: int = Field(0, ge=0, description="objects of fewer pixels are background")
    largest_hole: int = Field(
        0,
        ge=0,
        description="background of up to so many pixels inside one class becomes that class",
    )
    largest_only: tuple[Annotated[int, Field(ge=1, le=254)], ...] = Field(
        (), description="ids of the classes of which only the largest connected part is kept"
    )
    objects_by: Literal["connected", "boundary", "distance", "both"] | None = Field(
        None,
        description="how touching objects are told apart: by what the network says of them "
        "(model.objects), or not at all (connected); unset: by all that it says",
    )
    seed: Share = Field(
        0.5, description="an object begins where what the network says of it is above this"
    )
    smoothing: float = Field(
        1.0, ge=0, le=20, description="sigma of the Gaussian that smooths it first, pixels"
    )
    smallest_seed: int = Field(1, ge=1, description="beginnings of fewer pixels are none")
    tune: bool = Field(
        False,
        description="search these settings on the validation images when a training ends; what "
        "gains is kept in the card",
    )


class Runtime(Section):
    """The machine's side."""

    backend: Literal["tensorflow", "jax", "torch"] | None = Field(
        None, description="unset: the first installed"
    )
    precision: Literal["float32", "bfloat16"] = Field("float32", description="of the arithmetic")
    compiled: bool | None = Field(
        None,
        description="make one program of a step with the backend's compiler (XLA, or PyTorch's "
        "Inductor); unset: on JAX, which is slow without; TensorFlow's is not deterministic",
    )
    fused: bool = Field(
        True,
        description="train with the backend's own kernels for batch normalisation, bilinear "
        "enlargement and strided depthwise convolutions, and with frozen normalisation folded into "
        "the convolutions, which is faster; what is saved is the same",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="of everything random")
    threads: int | None = Field(None, ge=1, le=1024, description="unset: all cores")
    workers: int = Field(1, ge=0, le=64, description="threads that prepare batches; 0: none")
    deterministic: bool = Field(True, description="the same seed gives the same weights on a CPU")


class Recipe(Section):
    """Every setting of a training.

    Example:
        >>> recipe = Recipe.load("unet-nuclei")
        >>> recipe.override({"training.epochs": 3}).training.epochs
        3
    """

    data: Data = Data()
    augment: Augment = Augment()
    model: Model = Model()
    loss: Loss = Loss()
    training: Training = Training()
    callbacks: Callbacks = Callbacks()
    refiner: Refiner = Refiner()
    evaluation: Evaluation = Evaluation()
    post: Post = Post()
    runtime: Runtime = Runtime()

    @model_validator(mode="after")
    def _parts_fit(self) -> "Recipe":
        stride = 2 ** depth_of(self.model)
        if any(side % stride for side in self.data.size):
            raise ValueError(
                f"data.size {list(self.data.size)} does not divide by the model's stride {stride}"
            )
        return self

    @classmethod
    def load(cls, source: str | Path) -> "Recipe":
        """Return the recipe of a shipped name or of a TOML file.

        Args:
            source: A name such as ``"unet-nuclei"``, or the path of a ``.toml`` file.

        Raises:
            RecipeError: No such recipe or file, bad TOML, an unknown key or a bad value.
        """
        text, origin = _read_source(source)
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(
                f"{origin} is not valid TOML: {error}.", hint="Correct the line that is named."
            ) from error
        return from_values(values, origin)

    def override(self, settings: Mapping[str, object]) -> "Recipe":
        """Return a copy with settings replaced, each key as ``"section.key"``.

        Raises:
            RecipeError: An unknown key or a value that is not allowed.
        """
        values = self.model_dump()
        for key, value in settings.items():
            section, _, name = key.partition(".")
            if not name:
                raise RecipeError(
                    f"'{key}' names no setting of a section.",
                    hint="Write it as section.key=value, for example training.epochs=5.",
                )
            values.setdefault(section, {})
            values[section][name] = value
        return from_values(values, "the recipe with its overrides")


def object_targets_of(model: Model) -> tuple[ObjectTarget, ...]:
    """Return what a network says of objects, in the order of its channels."""
    if model.objects == "both":
        return ("boundary", "distance")
    return () if model.objects == "none" else (model.objects,)


def depth_of(model: Model) -> int:
    """Return how often a network halves the resolution."""
    if model.depth is not None:
        return model.depth
    return 4 if model.encoder == "plain" else 5


def names() -> list[str]:
    """Return the names of the shipped recipes, sorted."""
    folder = resources.files("delineate") / "recipes"
    return sorted(path.name[:-5] for path in folder.iterdir() if path.name.endswith(".toml"))


def from_values(values: Mapping[str, Any], origin: str) -> Recipe:
    """Return the recipe that nested plain values describe.

    Raises:
        RecipeError: An unknown key (with its near miss) or a bad value; ``origin`` is named.
    """
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise _explain(error, origin) from error


def _read_source(source: str | Path) -> tuple[str, str]:
    path = Path(source)
    if path.suffix == ".toml":
        try:
            return path.read_text(encoding="utf-8"), str(path)
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(
                f"The recipe {path} cannot be read: {error}.",
                hint=f"Name a TOML file or one of: {', '.join(names())}.",
            ) from error
    if str(source) not in names():
        raise RecipeError(
            f"There is no recipe '{source}'.{near_miss(str(source), names())}",
            hint=f"Name a TOML file or one of: {', '.join(names())}.",
        )
    shipped = resources.files("delineate") / "recipes" / f"{source}.toml"
    return shipped.read_text(encoding="utf-8"), f"recipe '{source}'"


def _known_keys(place: tuple[int | str, ...]) -> list[str]:
    if len(place) == 1:
        return list(Recipe.model_fields)
    section = Recipe.model_fields.get(str(place[0]))
    kind = section.annotation if section else None
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, Section) else []


def _meaning(place: tuple[int | str, ...]) -> str:
    """Return the description of a setting, or nothing where there is none."""
    section = Recipe.model_fields.get(str(place[0]))
    kind = section.annotation if section else None
    if len(place) < 2 or not isinstance(kind, type) or not issubclass(kind, Section):
        return ""
    field = kind.model_fields.get(str(place[1]))
    return (field.description or "") if field else ""


def _explain(error: ValidationError, origin: str) -> RecipeError:
    first = error.errors()[0]
    place = first["loc"]
    key = ".".join(str(part) for part in place)
    if first["type"] == "extra_forbidden":
        known = _known_keys(place)
        what = "section" if len(place) == 1 else "setting"
        return RecipeError(
            f"{origin}: unknown {what} '{key}'.{near_miss(str(place[-1]), known)}",
            hint=f"Use one of: {', '.join(known)}.",
        )
    if not place:
        message = str(first["msg"]).removeprefix("Value error, ")
        return RecipeError(f"{origin}: {message}.", hint="Change one of the two settings.")
    return RecipeError(
        f"{origin}: {refused_value(key, first)}.",
        hint=f"Correct {key}{': ' if _meaning(place) else ''}{_meaning(place)}.",
    )
