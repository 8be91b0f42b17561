"""What the losses can be told."""

import math
from dataclasses import dataclass

from delineate.errors import RecipeError
from delineate.recipe import Loss


@dataclass(frozen=True)
class LossOptions:
    """What the losses can be told; each uses what makes sense for it, as its docstring says.

    Attributes:
        class_weights: A weight for each class, background first; only their ratios matter. None:
            all classes are alike.
        label_smoothing: Share of each target that is spread over all classes, in [0, 1).
        focal_gamma: Exponent of the focal loss, 0 or more.
        tversky_false_positives: Weight of false positives in the Tversky losses.
        tversky_false_negatives: Weight of false negatives in the Tversky losses.
        focal_tversky_exponent: Exponent of the focal Tversky loss, above 0.

    Raises:
        RecipeError: A class weight is no number that can be used, or no foreground class has one.
    """

    class_weights: tuple[float, ...] | None = None
    label_smoothing: float = 0.0
    focal_gamma: float = 2.0
    tversky_false_positives: float = 0.3
    tversky_false_negatives: float = 0.7
    focal_tversky_exponent: float = 0.75

    def __post_init__(self) -> None:
        if self.class_weights is None:
            return
        wrong = [weight for weight in self.class_weights if not 0 <= weight < math.inf]
        if wrong:
            raise RecipeError(
                f"loss.class_weights holds {wrong[0]}.",
                hint="Give each class a weight that is 0 or more.",
            )
        if not any(self.class_weights[1:]):
            raise RecipeError(
                f"loss.class_weights = {list(self.class_weights)} leaves no foreground class: "
                "nothing could be learnt.",
                hint="Give at least one class after the background a weight above 0.",
            )

    @classmethod
    def of(cls, settings: Loss, class_weights: tuple[float, ...] | None = None) -> "LossOptions":
        """Return the options that a recipe's section asks for.

        Args:
            settings: The section `[loss]`.
            class_weights: The weights themselves, where the section names how they are found.
        """
        return cls(
            class_weights=class_weights,
            label_smoothing=settings.label_smoothing,
            focal_gamma=settings.focal_gamma,
            tversky_false_positives=settings.tversky_false_positives,
            tversky_false_negatives=settings.tversky_false_negatives,
            focal_tversky_exponent=settings.focal_tversky_exponent,
        )
