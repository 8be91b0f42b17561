"""What to look at in a data set: the places where network and truth disagree most surely."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from delineate.data.records import Sample
from delineate.data.sheet import Colours
from delineate.evaluation.contradiction import Contradiction
from delineate.evaluation.disagreement import Disagreement, find_disagreements
from delineate.evaluation.review_sheet import Crop, cut, review_sheet
from delineate.files import write_whole
from delineate.prediction.predictor import Prediction
from delineate.report import Picture, Section
from delineate.runs import Run

MOST = 1000  # places that are listed
SHOWN = 12  # places that are drawn
# One image that is wrong all over must not push out all others.
SHOWN_OF_AN_IMAGE = 3
COLUMNS = (
    "image",
    "score",
    "kind",
    "true_class",
    "predicted_class",
    "true_probability",
    "predicted_probability",
    "area",
    "row",
    "column",
    "top",
    "left",
    "bottom",
    "right",
    "object",
    "image_score",
)


@dataclass
class Review:
    """The places to look at, found image by image; of each no more is kept than is shown of it.

    Attributes:
        names: The class names, background first.
        colours: The colour of each class.
        places: The surest disagreements so far, in order.
        crops: What is drawn of the first ones.
    """

    names: tuple[str, ...]
    colours: Colours
    places: list[Disagreement] = field(default_factory=list)
    crops: list[Crop] = field(default_factory=list)

    def add(self, sample: Sample, prediction: Prediction) -> None:
        """Take in an image with its truth and its prediction."""
        found = Contradiction.of(sample, prediction)
        places = find_disagreements(found, self.names)
        self.places = sorted([*self.places, *places], key=lambda each: each.order)[:MOST]
        for about in places[:SHOWN_OF_AN_IMAGE]:
            if len(self.crops) < SHOWN or about.order < self.crops[-1].about.order:
                crops = [*self.crops, cut(found, about)]
                self.crops = sorted(crops, key=lambda crop: crop.about.order)[:SHOWN]

    @cached_property
    def sheet(self) -> bytes | None:
        """A picture of the first places, as PNG; None where there is nothing to look at.

        It is drawn once: ask for it when all images have been taken in.
        """
        return review_sheet(self.crops, self.colours, names=self.names) if self.crops else None


def to_csv(found: Sequence[Disagreement]) -> bytes:
    """Return a table of disagreements as the content of a CSV file, in UTF-8.

    Args:
        found: The rows, in order.

    Returns:
        A line with the names of the columns, then one per disagreement. Scores and probabilities
        have four decimals; ``object`` is empty where there is none.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_cells(each) for each in found)
    # File names may hold bytes that are no text; they are written as they were.
    return text.getvalue().encode("utf-8", "surrogateescape")


def write_review(run: Run, review: Review) -> None:
    """Write ``review.csv``, and ``review.png`` where there is anything to look at, into a folder.

    Args:
        run: The folder.
        review: What to look at.
    """
    write_whole(run.review, to_csv(review.places))
    if review.sheet is None:
        # One of an earlier evaluation would show what is not so any more.
        run.review_sheet.unlink(missing_ok=True)
    else:
        write_whole(run.review_sheet, review.sheet)


def review_sections(review: Review, *, trained_on: bool) -> list[Section]:
    """Return the part of the report that says what to look at, where there is anything.

    Args:
        review: What to look at.
        trained_on: Whether some of the images were trained on.
    """
    if review.sheet is None:
        return []
    count = len(review.places)
    more = "" if count < MOST else "At least "
    places = "One place" if count == 1 else f"{more}{count:,} places"
    text = (
        f"{places} in which the network surely says something else than the truth; review.csv "
        "lists them, the surest first. Look there for wrong labels. Among them are the network's "
        "own mistakes, which tell what it has yet to learn."
    )
    if any(place.kind != "class" for place in review.places):
        text += (
            "\n\nSome are about what is one object: the truth joins what the network holds apart "
            '("joined" in the list), or holds apart what the network joins ("split").'
        )
    if trained_on:
        text += (
            "\n\nThe network was trained on some of these images. What it has seen often enough it "
            "knows by heart, wrong labels too, and does not contradict."
        )
    caption = (
        "In each, what is in dispute is outlined in white; a line across it is where one object "
        "ends and the next begins. The score is how surely the network contradicts, from 0 to 1, "
        "the probability that of the class it gives to what is outlined. No more than "
        f"{SHOWN_OF_AN_IMAGE} of an image."
    )
    picture = Picture("The surest disagreements", caption, review.sheet)
    return [Section("Look at these first", text, pictures=(picture,))]


def _cells(found: Disagreement) -> tuple[object, ...]:
    return (
        found.image,
        f"{found.score:.4f}",
        found.kind,
        found.true_class,
        found.predicted_class,
        f"{found.true_probability:.4f}",
        f"{found.predicted_probability:.4f}",
        found.area,
        *found.place,
        *found.box,
        found.object,
        f"{found.image_score:.4f}",
    )
