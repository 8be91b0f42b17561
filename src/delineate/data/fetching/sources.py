"""The table of public data sets: where they come from, and how their folders are told.

To add one, write a function that says what is wrong with an unpacked folder, and add one entry to
``SOURCES``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from delineate.errors import UsageError, near_miss


@dataclass(frozen=True)
class Archive:
    """One file of a data set at its publisher.

    Attributes:
        filename: Its name there.
        urls: Where it is; the first that answers is used.
        checksums: The known sums, as "sha256:…" or "md5:…", and which edition each one is.
        size: Bytes, as published; 0: not known.
    """

    filename: str
    urls: tuple[str, ...]
    checksums: dict[str, str] = field(default_factory=dict)
    size: int = 0


@dataclass(frozen=True)
class Source:
    """One data set that can be fetched by its name.

    Attributes:
        name: What the user types.
        archives: The files that together are the data set.
        licence: The licence as its publisher states it.
        homepage: The page that describes the data.
        layout: What the unpacked folder holds, in one line.
        sign: A pattern of files by which the folder is found below others.
        fault: Says what keeps a folder from having that layout, None if nothing does.
        describe: Returns the ``dataset.toml`` of such a folder; None: its layout says it all.
    """

    name: str
    archives: tuple[Archive, ...]
    licence: str
    homepage: str
    layout: str
    sign: str
    fault: Callable[[Path], str | None]
    describe: Callable[[Path], str] | None = None


def find_source(name: str) -> Source:
    """Return the source of a named data set.

    Raises:
        UsageError: No data set has this name.

    Example:
        >>> [archive.filename for archive in find_source("oxford-pet").archives]
        ['images.tar.gz', 'annotations.tar.gz']
    """
    if name not in SOURCES:
        raise UsageError(
            f"There is no data set {name!r}.{near_miss(name, list(SOURCES))}",
            hint=f"Choose one of: {', '.join(sorted(SOURCES))}.",
        )
    return SOURCES[name]


def _unpaired(folder: Path, images: str, mask: str) -> str | None:
    """Say which image has no mask; ``{stem}`` in the mask's path is the image's."""
    found = sorted(path for path in folder.glob(images) if path.name[0] != ".")
    for path in found:
        wanted = mask.format(stem=path.stem)
        if not (folder / wanted).is_file():
            return f"{path.relative_to(folder).as_posix()} has no {wanted}"
    return None if found else f"there is no {images}"


def _lines(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.strip():
            yield line.strip()


# Data Science Bowl 2018


def _dsb2018_fault(folder: Path) -> str | None:
    images = sorted(path for path in folder.iterdir() if path.is_dir())
    for image in images:
        if not (image / "images" / f"{image.name}.png").is_file():
            return f"{image.name} has no images/{image.name}.png"
        if not (image / "masks").is_dir():
            return f"{image.name} has no masks/"
    return None if images else "it has no folders"


# Oxford-IIIT Pet


def _oxford_pet_fault(folder: Path) -> str | None:
    return _unpaired(folder, "images/*.jpg", "annotations/trimaps/{stem}.png")


# The folder of images also holds a few .mat files, and that of trimaps a ._ file beside each.
_OXFORD_PET = """\
# Oxford-IIIT Pet, as its README describes it: a trimap holds 1 = pet, 2 = background and
# 3 = border or unsure, which is neither trained on nor scored.
layout = "pairs"

[classes]
names = ["background", "pet"]
colours = ["#000000", "#e69f00"]

[masks]
values = { 1 = "pet", 2 = "background" }
ignore = [3]

[pairing]
images = "images/*.jpg"
masks = "annotations/trimaps/{stem}.png"
"""


def _oxford_pet_description(_: Path) -> str:
    return _OXFORD_PET


# Pascal VOC 2012


def _voc2012_fault(folder: Path) -> str | None:
    for name in ("train.txt", "val.txt"):
        path = folder / "ImageSets" / "Segmentation" / name
        if not path.is_file():
            return f"there is no ImageSets/Segmentation/{name}"
        stems = list(_lines(path))
        for stem in stems:
            for wanted in (f"JPEGImages/{stem}.jpg", f"SegmentationClass/{stem}.png"):
                if not (folder / wanted).is_file():
                    return f"{stem} of {name} has no {wanted}"
        if not stems:
            return f"{name} names no image"
    return None


# CamVid

# The eleven classes that scores are published for, and the codes that each of them joins, as the
# example of SegNet in MATLAB's documentation groups them; the colours are SegNet's.
_CAMVID_CLASSES = (
    ("sky", "#808080", ("Sky",)),
    ("building", "#800000", ("Archway", "Bridge", "Building", "Tunnel", "Wall")),
    ("pole", "#c0c080", ("Column_Pole", "TrafficCone")),
    ("road", "#804080", ("LaneMkgsDriv", "LaneMkgsNonDriv", "Road")),
    ("pavement", "#3c28de", ("ParkingBlock", "RoadShoulder", "Sidewalk")),
    ("tree", "#808000", ("Tree", "VegetationMisc")),
    ("sign symbol", "#c08080", ("Misc_Text", "SignSymbol", "TrafficLight")),
    ("fence", "#404080", ("Fence",)),
    ("car", "#400080", ("Car", "OtherMoving", "SUVPickupTruck", "Train", "Truck_Bus")),
    ("pedestrian", "#404000", ("Animal", "CartLuggagePram", "Child", "Pedestrian")),
    ("bicyclist", "#0080c0", ("Bicyclist", "MotorcycleScooter")),
)
_CAMVID_CLASS_OF = {code: name for name, _, codes in _CAMVID_CLASSES for code in codes}
_CAMVID_VOID = "Void"
_CAMVID = """\
# CamVid: codes.txt names the 32 values of the masks. They are joined to the eleven classes that
# scores are published for; Void is neither trained on nor scored. Change it as you need it.
#
# Frames of one drive show the same street: they stay together in a split. valid.txt lists a clip of
# a drive that other frames are from as well; for that split, set layout = "camvid" and take out
# [pairing] and [groups].
layout = "pairs"

[classes]
names = [{names}]
colours = [{colours}]

[pairing]
images = "images/*.png"
masks = "labels/{{stem}}_P.png"

[groups]
pattern = "([^/_]+)_[^/]*$"

[masks]
ignore = [{ignore}]

[masks.values]
{values}
"""


def _camvid_fault(folder: Path) -> str | None:
    fault = _unpaired(folder, "images/*.png", "labels/{stem}_P.png")
    if fault is not None:
        return fault
    if not (folder / "codes.txt").is_file():
        return "there is no codes.txt"
    codes = list(_lines(folder / "codes.txt"))
    unknown = [code for code in codes if code not in (*_CAMVID_CLASS_OF, _CAMVID_VOID)]
    if unknown:
        return f"codes.txt names {unknown[0]!r}, which is none of CamVid's classes"
    return None if codes else "codes.txt names no class"


def _camvid_description(folder: Path) -> str:
    codes = list(enumerate(_lines(folder / "codes.txt")))
    return _CAMVID.format(
        names=", ".join(f'"{name}"' for name, _, _ in _CAMVID_CLASSES),
        colours=", ".join(f'"{colour}"' for _, colour, _ in _CAMVID_CLASSES),
        ignore=", ".join(str(value) for value, code in codes if code == _CAMVID_VOID),
        values="\n".join(
            f'{value} = "{_CAMVID_CLASS_OF[code]}"  # {code}'
            for value, code in codes
            if code != _CAMVID_VOID
        ),
    )


# Kvasir-SEG


def _kvasir_seg_fault(folder: Path) -> str | None:
    return _unpaired(folder, "images/*.jpg", "masks/{stem}.jpg")


_KVASIR_SEG = """\
# Kvasir-SEG: the masks are JPEG files, which blends their values: bright is polyp, dark is not.
layout = "folders"

[classes]
names = ["background", "polyp"]

[masks]
encoding = "binary"
"""


def _kvasir_seg_description(_: Path) -> str:
    return _KVASIR_SEG


SOURCES: dict[str, Source] = {
    "dsb2018": Source(
        name="dsb2018",
        archives=(
            Archive(
                filename="stage1_train.zip",
                urls=("https://data.broadinstitute.org/bbbc/BBBC038/stage1_train.zip",),
                checksums={
                    "sha256:211d469590aefc938444c6c51d5933b39b64e81bd33ce52ca4a5469e79d937d5": (
                        "stage 1 training set with community corrections, 664 images"
                    ),
                    # As several independent projects recorded it after downloading from there.
                    "sha256:dcb6edc2690f137406638b2309581a71522c4dff19157d118453b448dcddcb68": (
                        "BBBC038v1, stage 1 training set as published, 670 images"
                    ),
                },
            ),
        ),
        licence="CC0 1.0",
        homepage="https://bbbc.broadinstitute.org/BBBC038",
        layout="<id>/images/<id>.png and <id>/masks/*.png, one object each",
        sign="*/images/*.png",
        fault=_dsb2018_fault,
    ),
    "oxford-pet": Source(
        name="oxford-pet",
        # Addresses, sums and sizes: tensorflow/datasets, datasets/oxford_iiit_pet/checksums.tsv;
        # the second addresses: torchvision's OxfordIIITPet.
        archives=(
            Archive(
                filename="images.tar.gz",
                urls=(
                    "https://thor.robots.ox.ac.uk/~vgg/data/pets/images.tar.gz",
                    "https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz",
                ),
                checksums={
                    "sha256:67195c5e1c01f1ab5f9b6a5d22b8c27a580d896ece458917e61d459337fa318d": (
                        "Oxford-IIIT Pet, 7,390 images as published"
                    ),
                },
                size=791_918_971,
            ),
            Archive(
                filename="annotations.tar.gz",
                urls=(
                    "https://thor.robots.ox.ac.uk/~vgg/data/pets/annotations.tar.gz",
                    "https://www.robots.ox.ac.uk/~vgg/data/pets/data/annotations.tar.gz",
                ),
                checksums={
                    "sha256:52425fb6de5c424942b7626b428656fcbd798db970a937df61750c0f1d358e91": (
                        "Oxford-IIIT Pet, annotations as published"
                    ),
                },
                size=19_173_078,
            ),
        ),
        licence="CC BY-SA 4.0; the images belong to their owners",
        homepage="https://www.robots.ox.ac.uk/~vgg/data/pets/",
        layout="images/<name>.jpg and annotations/trimaps/<name>.png",
        sign="images/*.jpg",
        fault=_oxford_pet_fault,
        describe=_oxford_pet_description,
    ),
    "voc2012": Source(
        name="voc2012",
        archives=(
            # Sum and size: tensorflow/datasets, url_checksums/voc.txt; torchvision's voc.py records
            # the same file by its md5, 6cd6e144f989b92b3379bac3b3de84fd.
            Archive(
                filename="VOCtrainval_11-May-2012.tar",
                urls=(
                    "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
                    "https://pjreddie.com/media/files/VOCtrainval_11-May-2012.tar",
                ),
                checksums={
                    "sha256:e14f763270cf193d0b5f74b169f44157a4b0c6efa708f4dd0ff78ee691763bcb": (
                        "Pascal VOC 2012, training and validation data as published"
                    ),
                },
                size=1_999_639_040,
            ),
        ),
        licence="none stated; the images are Flickr's, under its terms of use",
        homepage="https://www.robots.ox.ac.uk/~vgg/projects/pascal/VOC/voc2012/",
        layout="JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/train.txt and val.txt",
        sign="JPEGImages/*.jpg",
        fault=_voc2012_fault,
    ),
    "camvid": Source(
        name="camvid",
        archives=(
            # Sum: FluxML/FastAI.jl, src/datasets/fastaidatasets.jl; size: fastai/fastai,
            # fastai/data/checks.txt, whose md5 is that of the first 2**20 bytes only.
            Archive(
                filename="camvid.tgz",
                urls=("https://s3.amazonaws.com/fast-ai-imagelocal/camvid.tgz",),
                checksums={
                    "sha256:11db05fc3ee727fb17de7499380b20258a41beeb1002a2aee2c2244a472a4a45": (
                        "CamVid, 701 frames and labels of 32 classes, as packed by fast.ai"
                    ),
                },
                size=598_913_237,
            ),
        ),
        licence="none stated; made for research",
        homepage="http://mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid/",
        layout="images/<name>.png, labels/<name>_P.png and codes.txt",
        sign="images/*.png",
        fault=_camvid_fault,
        describe=_camvid_description,
    ),
    "kvasir-seg": Source(
        name="kvasir-seg",
        archives=(
            # Sum: constantinpape/torch-em, torch_em/data/datasets/medical/kvasir.py, and several
            # projects after it; size: one of them.
            Archive(
                filename="kvasir-seg.zip",
                urls=("https://datasets.simula.no/downloads/kvasir-seg.zip",),
                checksums={
                    "sha256:03b30e21d584e04facf49397a2576738fd626815771afbbf788f74a7153478f7": (
                        "Kvasir-SEG, 1,000 images as published"
                    ),
                },
                size=46_227_172,
            ),
        ),
        licence="for research and education; commercial use by written permission",
        homepage="https://datasets.simula.no/kvasir-seg/",
        layout="images/<name>.jpg and masks/<name>.jpg",
        sign="images/*.jpg",
        fault=_kvasir_seg_fault,
        describe=_kvasir_seg_description,
    ),
}
