"""Layout `run_lengths`: images, and a table of their objects as run lengths.

The other layout of the 2018 Data Science Bowl: ``stage1_train_labels.csv`` or
``stage1_solution.csv`` beside the images, which are found by their names at any depth, as in
``<id>/images/<id>.png``. Tables that are named after splits, or lie in the folder of one, give the
splits.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from delineate.data.describing.description import Description
from delineate.data.layouts import dsb2018
from delineate.data.layouts.files import Files, double, folders_below, is_image, join_channels
from delineate.data.layouts.layout import OBJECTS, SPLIT_FOLDERS, Layout, split_folders
from delineate.data.layouts.manifest import find_manifests
from delineate.data.layouts.pairing import alone, make_record
from delineate.data.layouts.parts import labelled_parts
from delineate.data.layouts.run_length_table import Table, find_samples, find_tables, read_table
from delineate.data.records import Index, Record, Unpaired
from delineate.errors import DataError

NUCLEI = Description(names=("background", "nucleus"))


@dataclass(frozen=True)
class _Image:
    """An image, by its file's stem."""

    name: str
    split: str | None
    files: tuple[Path, ...]


def refuse(folder: Path) -> str | None:
    """Return why a folder is not of this layout, or None where it is."""
    for manifest in find_manifests(folder):
        return f"{manifest.name} lists the pairs"
    if not any(find_tables(part) for part in (folder, *split_folders(folder).values())):
        return "no table *.csv beside the data has the columns ImageId and EncodedPixels"
    if labelled_parts(folder):
        return "there is masks/ beside images/"
    if dsb2018.refuse(folder) is None:
        return "<id>/masks/ holds a file for each object"
    return None


def index(folder: Path, description: Description) -> Index:
    """Return a record for each image that has rows in a table; each table is read once.

    Raises:
        DataError: There are several tables that are not named after splits, two of them have rows
            of one image, or a row is damaged; the line is named.
    """
    images, unpaired = _images(folder, description)
    tables = [_by_images(table, images) for table in _tables(folder)]
    homes = {image: table for image in images if (table := _table_of(image, tables))}
    chosen, doubles = _without_doubles(homes)
    records = [
        _record(image, homes[image], description)
        for image in chosen.values()
        if image.name not in homes[image].ignored
    ]
    labelled = {None, *(image.split for image in homes)}
    lonely = [image for image in images if image not in homes and image.split in labelled]
    unpaired += [*doubles, *_alone(lonely, tables, chosen)]
    left_out = Counter(str(image.split) for image in images if image.split not in labelled)
    said = NUCLEI if _is_bowl(images) else OBJECTS
    notes = tuple(_notes(folder, tables, images, left_out))
    return Index(tuple(records), tuple(unpaired), said, notes)


def _tables(folder: Path) -> list[Table]:
    """Return the tables of a folder and of its splits' folders, read.

    Raises:
        DataError: There are several of one split, or one without a split among several.
    """
    found = [(SPLIT_FOLDERS.get(path.stem.lower()), path) for path in find_tables(folder)]
    for split, part in split_folders(folder).items():
        found += [(split, path) for path in find_tables(part)]
    splits = [split for split, _ in found]
    if len(found) > 1 and (None in splits or len(set(splits)) < len(splits)):
        names = ", ".join(path.relative_to(folder).as_posix() for _, path in found)
        raise DataError(
            f"{folder} holds several tables of run lengths: {names}.",
            hint="Keep one, or name them train.csv, val.csv and test.csv.",
        )
    return [read_table(path, split) for split, path in found]


def _images(folder: Path, description: Description) -> tuple[list[_Image], list[Unpaired]]:
    """Return the images of all splits, and the files that are no images of their own."""
    splits = split_folders(folder)
    rest = _by_stem(folder, [path.name for path in splits.values()])
    parts: dict[str | None, Files] = {None: rest}
    parts |= {split: _by_stem(path) for split, path in splits.items()}
    images: list[_Image] = []
    unpaired: list[Unpaired] = []
    for split, part in parts.items():
        files = join_channels(part, description.channels)
        images += [_Image(name, split, files.named[name]) for name in sorted(files.named)]
        unpaired += files.unpaired
    return images, unpaired


def _by_stem(folder: Path, without: Collection[str] = ()) -> Files:
    """Return the images below a folder by their stems; masks/ beside images/ holds none."""
    named: dict[str, tuple[Path, ...]] = {}
    doubles: list[Unpaired] = []
    for place, paths in folders_below(folder, without):
        if place != folder and _holds_masks(place):
            continue
        for path in paths:
            if path.stem in named:
                doubles.append(double(path, named[path.stem][0]))
            else:
                named[path.stem] = (path,)
    return Files(folder, named, tuple(doubles))


def _holds_masks(folder: Path) -> bool:
    return folder.name == "masks" and folder.is_dir() and (folder.parent / "images").is_dir()


def _may_have(table: Table, image: _Image) -> bool:
    """Return whether a table is for the split of an image."""
    return None in (table.split, image.split) or table.split == image.split


def _by_images(table: Table, images: Sequence[_Image]) -> Table:
    """Return a table whose rows go by the names of the images, where there are such images.

    Some tables name the file itself, or have a space beside the name.

    Raises:
        DataError: A name that no image has is no text.
    """
    names = {image.name for image in images if _may_have(table, image)}
    free = names - table.rows.keys()
    called: dict[str, str] = {}
    for written in table.rows:
        called[written] = next((name for name in _shorter(written) if name in free), written)
        free.discard(called[written])
        if called[written] not in names:
            _refuse_other_coding(table, written)
    return replace(
        table,
        rows={called[written]: runs for written, runs in table.rows.items()},
        ignored=frozenset(called[written] for written in table.ignored),
    )


def _refuse_other_coding(table: Table, written: str) -> None:
    try:
        written.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"{table.path}, line {table.rows[written].lines[0]}: the ImageId {written!a} is no "
            "UTF-8, and no image has this name.",
            hint="Save the table as UTF-8.",
        ) from error


def _shorter(written: str) -> tuple[str, ...]:
    """Return the names that an ImageId may stand for, if no image has it as it is."""
    bare = written.strip()
    return (bare, bare.rpartition(".")[0]) if is_image(bare) else (bare,)


def _table_of(image: _Image, tables: Sequence[Table]) -> Table | None:
    """Return the table that has rows of an image, None where none has.

    Raises:
        DataError: Two tables have.
    """
    found = [table for table in tables if image.name in table.rows and _may_have(table, image)]
    if len(found) > 1:
        places = " and ".join(
            f"{table.path}, line {table.rows[image.name].lines[0]}" for table in found[:2]
        )
        raise DataError(
            f"'{image.name}' is in {places}.", hint="Keep the rows of an image in one table."
        )
    return found[0] if found else None


def _without_doubles(
    homes: Mapping[_Image, Table],
) -> tuple[dict[tuple[Path, str], _Image], list[Unpaired]]:
    """Return the image of each name in each table, and those whose name another one has."""
    chosen: dict[tuple[Path, str], _Image] = {}
    doubles: list[Unpaired] = []
    for image, table in homes.items():
        first = chosen.setdefault((table.path, image.name), image)
        if first is not image:
            doubles.append(double(image.files[0], first.files[0]))
    return chosen, doubles


def _record(image: _Image, table: Table, description: Description) -> Record:
    split = image.split or table.split
    files = image.files, ()
    made = make_record(image.name, *files, description, split=split, parts="run-lengths")
    return replace(made, run_lengths=table.rows[image.name])


def _alone(
    lonely: Sequence[_Image], tables: Sequence[Table], used: Collection[tuple[Path, str]]
) -> Iterator[Unpaired]:
    """Yield the complaints about images without rows, and about rows without an image."""
    left = [
        (table, name)
        for table in tables
        for name in sorted(table.rows.keys() - table.ignored)
        if (table.path, name) not in used
    ]
    names = sorted(name for _, name in left)
    rows = Files(Path(), dict.fromkeys(names, ()))
    files = Files(Path(), {image.name: image.files for image in lonely})
    images = sorted(files.named)
    wanted = f"row in {' or '.join(str(table.path) for table in tables) or 'a table'}"
    for image in lonely:
        yield alone(image.files[0], wanted, image.name, names, rows)
    for table, name in left:
        wanted = f"image for '{name}' of line {table.rows[name].lines[0]}"
        yield alone(table.path, wanted, name, images, files)


def _notes(
    folder: Path, tables: Sequence[Table], images: Sequence[_Image], left_out: Mapping[str, int]
) -> Iterator[str]:
    """Yield what is left out, and why."""
    splits = split_folders(folder)
    for split, count in left_out.items():
        yield f"{splits[split]} holds {count} images without rows: they are left out."
    for path in (sample for part in (folder, *splits.values()) for sample in find_samples(part)):
        yield f"{path} is a sample of a submission: it is left out."
    for table in tables:
        if table.ignored:
            yield f"{table.path} says to ignore {len(table.ignored)} images: they are left out."
    if any(_holds_masks(image.files[0].parent.parent / "masks") for image in images):
        yield f"The folders masks/ below {folder} are left out: a table has the objects."


def _is_bowl(images: Sequence[_Image]) -> bool:
    """Return whether all images lie as those of the Data Science Bowl do."""
    return all(image.files[0].parts[-3:-1] == (image.name, "images") for image in images)


LAYOUT = Layout(
    name="run_lengths",
    summary="images beside a table *.csv with the columns ImageId and EncodedPixels, "
    "one row per object",
    refuse=refuse,
    index=index,
)
