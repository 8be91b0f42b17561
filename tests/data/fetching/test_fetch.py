"""Whole data sets, from a server on loopback and from archives made here."""

import dataclasses
import io
import logging
import re
import time
from hashlib import md5, sha256

import numpy as np
import pytest
from PIL import Image
from tests.loopback import know_only_loopback, read_back, serving, tarred, zipped
from tests.published import CODES, PUBLISHED

from delineate.data.dataset import Dataset
from delineate.data.fetching import fetch as fetch_module
from delineate.data.fetching.fetch import fetch
from delineate.data.fetching.sources import SOURCES, Archive
from delineate.errors import DataError, UsageError

FILES = {
    "id1/images/id1.png": bytes(range(256)) * 8,
    "id1/masks/m1.png": b"mask 1",
    "id2/images/id2.png": b"image 2",
    "id2/masks/m2.png": b"mask 2",
}
ARCHIVE = zipped(FILES)

IMAGES = {"images/Bengal_1.jpg": bytes(range(256)) * 4, "images/Bengal_1.mat": b"stray"}
TRIMAPS = {"annotations/trimaps/Bengal_1.png": b"trimap", "annotations/README": b"read me"}
PETS = {"images.tar.gz": tarred(IMAGES), "annotations.tar.gz": tarred(TRIMAPS)}
PETS_SIZE = sum(map(len, PETS.values()))


@pytest.fixture
def server():
    with serving(ARCHIVE) as running:
        yield running


@pytest.fixture
def tiny(server, monkeypatch):
    """A source like dsb2018 at the loopback server, with a known checksum."""
    archive = Archive(
        filename="tiny.zip",
        urls=(f"{server.address}/tiny.zip",),
        checksums={f"sha256:{sha256(ARCHIVE).hexdigest()}": "tiny edition"},
    )
    source = dataclasses.replace(SOURCES["dsb2018"], name="tiny", archives=(archive,))
    monkeypatch.setitem(SOURCES, "tiny", source)
    return source


@pytest.fixture
def pets(server, monkeypatch):
    """A source like oxford-pet, of two archives, at the loopback server."""
    archives = tuple(
        Archive(
            filename=name,
            urls=(f"{server.address}/{name}",),
            checksums={f"sha256:{sha256(content).hexdigest()}": f"tiny {name}"},
            size=len(content),
        )
        for name, content in PETS.items()
    )
    server.files = {f"/{name}": content for name, content in PETS.items()}
    source = dataclasses.replace(SOURCES["oxford-pet"], name="pets", archives=archives)
    monkeypatch.setitem(SOURCES, "pets", source)
    return source


def change(monkeypatch, source, number=0, **values):
    """Change one archive of a source in the table."""
    archives = list(source.archives)
    archives[number] = dataclasses.replace(archives[number], **values)
    changed = dataclasses.replace(source, archives=tuple(archives))
    monkeypatch.setitem(SOURCES, source.name, changed)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """No waiting; the waits that were asked for."""
    asked = []
    monkeypatch.setattr(time, "sleep", asked.append)
    return asked


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch):
    know_only_loopback(monkeypatch)


# Downloads


@pytest.mark.usefixtures("tiny")
def test_a_download_gives_the_folder_and_nothing_else(tmp_path, server, caplog):
    caplog.set_level(logging.INFO)
    calls = []
    to = tmp_path / "data" / "nuclei"
    assert fetch("tiny", to=to, progress=lambda *call: calls.append(call)) == to
    assert read_back(to) == FILES
    assert list(to.parent.iterdir()) == [to]
    assert server.ranges == [None]
    assert calls[0] == (len(ARCHIVE), len(ARCHIVE))
    assert calls[-1] == (len(ARCHIVE), len(ARCHIVE))
    assert "tiny edition" in caplog.text


@pytest.mark.usefixtures("tiny")
def test_the_folder_is_the_name_by_default_and_may_be_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(fetch("tiny")) == "tiny"
    assert str(fetch("tiny", to="other")) == "other"
    assert read_back(tmp_path / "tiny") == read_back(tmp_path / "other") == FILES


@pytest.mark.usefixtures("tiny")
def test_a_download_without_a_length_is_taken(tmp_path, server):
    server.plan = [{"unsized": True}]
    calls = []
    fetch("tiny", to=tmp_path / "out", progress=lambda *call: calls.append(call))
    assert calls[0] == (len(ARCHIVE), 0)
    assert read_back(tmp_path / "out") == FILES


@pytest.mark.usefixtures("tiny")
def test_a_part_survives_a_failure_and_the_next_fetch_continues_it(tmp_path, server, waits):
    server.plan = [{"cut": 10}] * 4
    with pytest.raises(DataError, match=f"ended after 40 of {len(ARCHIVE)} bytes") as caught:
        fetch("tiny", to=tmp_path / "out")
    assert caught.value.hint == "Get tiny.zip by other means and pass --from ARCHIVE."
    assert waits == [1.0, 4.0, 15.0]
    assert names_in(tmp_path) == ["out.part"]
    assert read_back(fetch("tiny", to=tmp_path / "out")) == FILES
    assert server.ranges[-1] == "bytes=40-"
    assert names_in(tmp_path) == ["out"]


@pytest.mark.usefixtures("tiny")
def test_a_complete_part_is_used_as_it_is(tmp_path, server):
    (tmp_path / "out.part").write_bytes(ARCHIVE)
    assert read_back(fetch("tiny", to=tmp_path / "out")) == FILES
    assert server.ranges == [f"bytes={len(ARCHIVE)}-"]


@pytest.mark.parametrize("algorithm", [md5, sha256])
def test_a_wrong_checksum_is_refused_and_the_part_goes(
    tmp_path, server, tiny, monkeypatch, algorithm
):
    key = f"{algorithm().name}:{algorithm(ARCHIVE).hexdigest()}"
    change(monkeypatch, tiny, checksums={key: "tiny edition"})
    server.content = zipped(FILES | {"id1/masks/m1.png": b"another"})
    with pytest.raises(
        DataError,
        match=f"tiny.zip has the unknown checksum sha256:{sha256(server.content).hexdigest()}",
    ) as caught:
        fetch("tiny", to=tmp_path / "out")
    assert "pass --from ARCHIVE" in caught.value.hint
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("algorithm", [md5, sha256])
def test_a_known_checksum_names_the_edition(tmp_path, tiny, monkeypatch, caplog, algorithm):
    caplog.set_level(logging.INFO)
    key = f"{algorithm().name}:{algorithm(ARCHIVE).hexdigest()}"
    change(monkeypatch, tiny, checksums={"sha256:" + "0" * 64: "old", key: "new edition"})
    fetch("tiny", to=tmp_path / "out")
    assert "new edition" in caplog.text
    assert "old" not in caplog.text


def test_without_a_known_checksum_the_structure_decides(
    tmp_path, server, tiny, monkeypatch, caplog
):
    change(monkeypatch, tiny, checksums={})
    assert read_back(fetch("tiny", to=tmp_path / "out")) == FILES
    found = f"sha256:{sha256(ARCHIVE).hexdigest()}"
    assert f"checksum not known ({found}); structure verified" in caplog.text
    server.content = zipped({"readme.txt": b"moved"})
    with pytest.raises(DataError, match="is not tiny: it has no folders"):
        fetch("tiny", to=tmp_path / "other")
    assert names_in(tmp_path) == ["out"]


@pytest.mark.usefixtures("tiny")
def test_a_verified_download_is_kept_when_the_folder_cannot_be_made(tmp_path, monkeypatch):
    def fail(*_arguments, **_options):
        raise DataError("The disk is full.", hint="Free space.")

    with monkeypatch.context() as patched:
        patched.setattr(fetch_module, "unpack", fail)
        with pytest.raises(DataError, match="The disk is full"):
            fetch("tiny", to=tmp_path / "out")
    assert (tmp_path / "out.part").read_bytes() == ARCHIVE


def test_the_next_address_is_used_where_the_first_is_gone(tmp_path, server, tiny, monkeypatch):
    (url,) = tiny.archives[0].urls
    change(monkeypatch, tiny, urls=(f"{server.address}/gone.zip", url))
    server.plan = [{"status": 404}]
    assert read_back(fetch("tiny", to=tmp_path / "out")) == FILES
    assert server.asked == ["/gone.zip", "/tiny.zip"]


@pytest.mark.usefixtures("tiny")
def test_a_part_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "out.part").mkdir()
    with pytest.raises(DataError, match=r"out\.part cannot be written"):
        fetch("tiny", to=tmp_path / "out")


# Several archives


@pytest.mark.usefixtures("pets")
def test_several_archives_give_one_folder_with_a_description(tmp_path, server, caplog):
    caplog.set_level(logging.INFO)
    found = read_back(fetch("pets", to=tmp_path / "out"))
    description = found.pop("dataset.toml").decode()
    assert found == IMAGES | TRIMAPS
    assert description == SOURCES["pets"].describe(tmp_path)
    assert server.asked == ["/images.tar.gz", "/annotations.tar.gz"]
    assert names_in(tmp_path) == ["out"]
    assert "tiny images.tar.gz" in caplog.text
    assert "tiny annotations.tar.gz" in caplog.text


@pytest.mark.usefixtures("pets")
def test_progress_is_that_of_all_archives_together(tmp_path):
    calls = []
    fetch("pets", to=tmp_path / "out", progress=lambda *call: calls.append(call))
    assert {whole for _, whole in calls} == {PETS_SIZE}
    halves = [number for number, call in enumerate(calls) if call == (PETS_SIZE, PETS_SIZE)]
    downloaded = calls[: halves[0] + 1]
    assert downloaded == [(len(PETS["images.tar.gz"]), PETS_SIZE), (PETS_SIZE, PETS_SIZE)]
    unpacked = [done for done, _ in calls[halves[0] + 1 :]]
    assert unpacked == sorted(unpacked)
    assert len(PETS["images.tar.gz"]) in unpacked
    assert unpacked[-1] == PETS_SIZE


def test_progress_is_of_unknown_size_until_the_last_is(tmp_path, pets, monkeypatch):
    change(monkeypatch, pets, number=1, size=0)
    calls = []
    fetch("pets", to=tmp_path / "out", progress=lambda *call: calls.append(call))
    assert calls[:2] == [(len(PETS["images.tar.gz"]), 0), (PETS_SIZE, PETS_SIZE)]


@pytest.mark.usefixtures("pets")
def test_a_second_archive_that_breaks_off_is_continued_and_the_first_is_kept(tmp_path, server):
    server.plan = [{}] + [{"cut": 10}] * 4
    with pytest.raises(DataError, match=r"annotations\.tar\.gz: .*ended after 40 of") as caught:
        fetch("pets", to=tmp_path / "out")
    assert caught.value.hint == (
        "Get annotations.tar.gz by other means and pass --from for each of images.tar.gz and "
        "annotations.tar.gz."
    )
    parts = ["out.annotations.tar.gz.part", "out.images.tar.gz.part"]
    assert names_in(tmp_path) == parts
    server.asked, server.ranges, calls = [], [], []
    fetch("pets", to=tmp_path / "out", progress=lambda *call: calls.append(call))
    assert server.ranges == [f"bytes={len(PETS['images.tar.gz'])}-", "bytes=40-"]
    assert calls[0] == (PETS_SIZE, PETS_SIZE)
    assert names_in(tmp_path) == ["out"]


@pytest.mark.usefixtures("pets")
def test_a_second_archive_with_a_wrong_checksum_goes_and_the_first_is_kept(tmp_path, server):
    server.files["/annotations.tar.gz"] = tarred(TRIMAPS | {"annotations/README": b"changed"})
    with pytest.raises(DataError, match=r"annotations\.tar\.gz has the unknown checksum sha256:"):
        fetch("pets", to=tmp_path / "out")
    assert names_in(tmp_path) == ["out.images.tar.gz.part"]


@pytest.mark.parametrize("known", [True, False])
def test_only_what_is_not_known_goes_when_the_structure_is_wrong(
    tmp_path, server, pets, monkeypatch, known
):
    moved = tarred({"moved.txt": b"elsewhere"})
    server.files["/annotations.tar.gz"] = moved
    sums = {f"sha256:{sha256(moved).hexdigest()}": "moved"} if known else {}
    change(monkeypatch, pets, number=1, checksums=sums)
    with pytest.raises(DataError, match=r"part are not pets: images/Bengal_1\.jpg has no annot"):
        fetch("pets", to=tmp_path / "out")
    kept = ["out.annotations.tar.gz.part"] if known else []
    assert names_in(tmp_path) == [*kept, "out.images.tar.gz.part"]


# Archives at hand


@pytest.fixture
def at_hand(tmp_path):
    def write(files):
        path = tmp_path / "at_hand.zip"
        path.write_bytes(zipped(files))
        return path

    return write


@pytest.fixture
def shelf(tmp_path):
    """A folder with the archives of the pets under their publisher's names."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    for name, content in PETS.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("kind", [str, lambda path: path, lambda path: [path]])
def test_a_known_archive_at_hand_needs_no_network_and_stays(
    tmp_path, server, at_hand, caplog, kind
):
    archive = at_hand(FILES)
    assert read_back(fetch("tiny", archive=kind(archive), to=tmp_path / "out")) == FILES
    assert archive.read_bytes() == ARCHIVE
    assert server.ranges == []
    assert caplog.text == ""
    assert names_in(tmp_path) == ["at_hand.zip", "out"]


@pytest.mark.usefixtures("pets")
@pytest.mark.parametrize("order", [1, -1])
def test_each_archive_is_given_in_any_order(tmp_path, server, shelf, caplog, order):
    given = [shelf / name for name in PETS][::order]
    found = read_back(fetch("pets", archive=given, to=tmp_path / "out"))
    assert found.keys() == {*IMAGES, *TRIMAPS, "dataset.toml"}
    assert names_in(shelf) == sorted(PETS)
    assert server.ranges == []
    assert caplog.text == ""


@pytest.mark.usefixtures("pets")
def test_a_folder_stands_for_the_archives_that_it_holds(tmp_path, server, shelf):
    (shelf / "other.zip").write_bytes(b"")
    found = read_back(fetch("pets", archive=shelf, to=tmp_path / "out"))
    assert found.keys() == {*IMAGES, *TRIMAPS, "dataset.toml"}
    assert server.ranges == []
    (shelf / "annotations.tar.gz").unlink()
    with pytest.raises(DataError, match=r"shelf holds no annotations\.tar\.gz") as caught:
        fetch("pets", archive=shelf, to=tmp_path / "other")
    assert "pass --from for each of images.tar.gz and annotations.tar.gz" in caught.value.hint


@pytest.mark.usefixtures("pets")
def test_one_archive_of_two_is_refused_with_what_is_missing(tmp_path, shelf):
    with pytest.raises(DataError, match=r"images\.tar\.gz is not pets: .* has no annot") as caught:
        fetch("pets", archive=shelf / "images.tar.gz", to=tmp_path / "out")
    assert caught.value.hint.startswith("Pass --from for each of images.tar.gz and annotations.tar")
    assert names_in(tmp_path) == ["shelf"]


@pytest.mark.usefixtures("pets")
def test_all_in_one_archive_is_taken_as_well(tmp_path, at_hand, caplog):
    packed = {f"oxford-iiit-pet/{name}": content for name, content in (IMAGES | TRIMAPS).items()}
    found = read_back(fetch("pets", archive=at_hand(packed), to=tmp_path / "out"))
    assert found.keys() == {*IMAGES, *TRIMAPS, "dataset.toml"}
    assert "structure verified" in caplog.text


@pytest.mark.usefixtures("pets")
def test_an_archive_that_is_given_twice_is_refused(tmp_path, shelf):
    given = [shelf / "images.tar.gz", shelf / "annotations.tar.gz", shelf / "images.tar.gz"]
    with pytest.raises(DataError, match=r"holds the file Bengal_1\.\w+, as another archive does"):
        fetch("pets", archive=given, to=tmp_path / "out")
    assert names_in(tmp_path) == ["shelf"]


@pytest.mark.parametrize("top", ["stage1_train/", "data/stage1_train/"])
def test_an_unknown_archive_is_taken_with_a_warning_whatever_folder_it_has_on_top(
    tmp_path, at_hand, caplog, top
):
    files = {top + name: content for name, content in FILES.items()}
    archive = at_hand(files | {"._stage1_train": b"of macOS"})
    fetch("dsb2018", archive=archive, to=tmp_path / "out")
    assert read_back(tmp_path / "out") == FILES
    assert "checksum not known" in caplog.text
    assert "structure verified" in caplog.text


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("top", ["", "VOCdevkit/VOC2012/"])
def test_every_data_set_is_taken_from_an_archive_as_it_is_published(tmp_path, at_hand, name, top):
    wanted = PUBLISHED[name]
    archive = at_hand({top + path: content for path, content in wanted.items()})
    found = read_back(fetch(name, archive=archive, to=tmp_path / "out"))
    description = found.pop("dataset.toml", None)
    assert found == wanted
    assert (description is None) == (SOURCES[name].describe is None)


def test_a_description_that_comes_with_the_data_stays(tmp_path, at_hand):
    own = {"images/a.jpg": b"", "masks/a.jpg": b"", "dataset.toml": b"# mine"}
    found = read_back(fetch("kvasir-seg", archive=at_hand(own), to=tmp_path / "out"))
    assert found == own


WRONG = {
    "no image": ({"id3/masks/m.png": b""}, r"id3 has no images/id3\.png"),
    "image of another id": (
        {"id3/images/id4.png": b"", "id3/masks/m.png": b""},
        r"id3 has no images/id3\.png",
    ),
    "no masks": ({"id3/images/id3.png": b""}, "id3 has no masks/"),
}


@pytest.mark.parametrize(("more", "reason"), WRONG.values(), ids=WRONG.keys())
def test_an_archive_of_another_structure_is_refused(tmp_path, at_hand, more, reason):
    with pytest.raises(DataError, match=f"is not dsb2018: {reason}") as caught:
        fetch("dsb2018", archive=at_hand(FILES | more), to=tmp_path / "out")
    assert "<id>/images/<id>.png" in caught.value.hint
    assert names_in(tmp_path) == ["at_hand.zip"]


def test_an_archive_of_another_data_set_is_refused(tmp_path, at_hand):
    with pytest.raises(DataError, match=re.escape("is not camvid: there is no images/*.png")):
        fetch("camvid", archive=at_hand(FILES), to=tmp_path / "out")


def test_an_unsafe_archive_is_refused(tmp_path, at_hand):
    with pytest.raises(DataError, match=r"'\.\.' in its path"):
        fetch("dsb2018", archive=at_hand(FILES | {"../evil": b""}), to=tmp_path / "out")
    assert names_in(tmp_path) == ["at_hand.zip"]


@pytest.mark.usefixtures("pets")
def test_an_unsafe_second_archive_leaves_nothing_of_the_first(tmp_path, shelf):
    (shelf / "annotations.tar.gz").write_bytes(tarred(TRIMAPS | {"/etc/evil": b""}))
    with pytest.raises(DataError, match="an absolute path"):
        fetch("pets", archive=shelf, to=tmp_path / "out")
    assert names_in(tmp_path) == ["shelf"]


def test_a_missing_archive_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"nothing\.zip cannot be read"):
        fetch("dsb2018", archive=tmp_path / "nothing.zip", to=tmp_path / "out")


@pytest.mark.usefixtures("tiny")
def test_a_folder_that_holds_something_is_refused_before_the_network_is_used(tmp_path, server):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(DataError, match="out exists and is not empty"):
        fetch("tiny", to=tmp_path / "out")
    assert server.ranges == []
    assert read_back(tmp_path / "out") == {"mine": b"mine"}


def test_an_unknown_name_is_a_usage_error():
    with pytest.raises(UsageError, match=r"no data set 'dsb2081'\. Did you mean 'dsb2018'\?"):
        fetch("dsb2081")


def test_the_real_archive_is_known_and_gives_664_images(real_data, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    folder = fetch("dsb2018", archive=real_data / "stage1_train.zip", to=tmp_path / "nuclei")
    images = list(folder.iterdir())
    assert len(images) == 664
    assert sum(len(list((image / "masks").iterdir())) for image in images) == 28_986
    assert "664 images" in caplog.text
    assert not any(record.levelno >= logging.WARNING for record in caplog.records)


# What the folders mean


@pytest.fixture
def opened(tmp_path, at_hand):
    """Returns the fetched data set whose masks and images are arrays."""

    def run(name, pictures, **texts):
        files = {path: encoded(path, picture) for path, picture in pictures.items()}
        files |= {f"{stem}.txt": text.encode() for stem, text in texts.items()}
        return Dataset.open(fetch(name, archive=at_hand(files), to=tmp_path / "out"), cache=False)

    return run


def encoded(path, picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG" if path.endswith(".jpg") else "PNG")
    return buffer.getvalue()


PICTURE = np.zeros((8, 6, 3), np.uint8)


def test_a_fetched_trimap_is_read_as_pet_background_and_border(opened):
    trimap = np.array([[1, 2, 3]] * 8, np.uint8).repeat(2, axis=1)
    pictures = {"images/Bengal_1.jpg": PICTURE, "annotations/trimaps/Bengal_1.png": trimap}
    dataset = opened("oxford-pet", pictures)
    assert dataset.classes == ("background", "pet")
    assert len(dataset) == 1
    np.testing.assert_array_equal(dataset[0].mask, np.choose(trimap, [9, 1, 0, 255]))


def pictures_of_camvid():
    codes = np.arange(32, dtype=np.uint8).reshape(4, 8)
    picture = np.zeros((4, 8, 3), np.uint8)
    return {
        f"{folder}/{stem}{end}.png": content
        for stem in ("0001TP_006690", "0016E5_07959")
        for folder, end, content in (("images", "", picture), ("labels", "_P", codes))
    }


def test_fetched_codes_of_camvid_are_read_as_eleven_classes_by_drive(opened):
    dataset = opened("camvid", pictures_of_camvid(), codes="\n".join(CODES))
    assert len(dataset.classes) == 11
    assert [record.group for record in dataset.records] == ["0001TP", "0016E5"]
    read = {code: int(value) for code, value in zip(CODES, dataset[1].mask.ravel(), strict=True)}
    assert read["Void"] == 255
    assert dataset.classes[read["Truck_Bus"]] == "car"
    assert dataset.classes[read["Wall"]] == "building"
    assert set(read.values()) == {*range(11), 255}
    assert dataset.colours[read["Sky"]] == (128, 128, 128)


def test_the_split_of_camvids_list_is_had_as_its_description_says(opened, tmp_path):
    texts = {"codes": "\n".join(CODES), "valid": "0016E5_07959.png\n"}
    masks = [sample.mask for sample in opened("camvid", pictures_of_camvid(), **texts)]
    place = tmp_path / "out" / "dataset.toml"
    text = place.read_text().replace('layout = "pairs"', 'layout = "camvid"')
    place.write_text(re.sub(r"\[(pairing|groups)\]\n(.+\n)+", "", text))
    dataset = Dataset.open(tmp_path / "out", cache=False)
    assert [record.name for record in dataset.split("train").records] == ["train/0001TP_006690"]
    assert len(dataset.split("validation")) == 1
    np.testing.assert_array_equal([sample.mask for sample in dataset], masks)


def test_fetched_jpeg_masks_of_kvasir_seg_are_background_and_polyp(opened):
    mask = np.zeros((16, 16, 3), np.uint8)
    mask[5:13, 3:11] = 255
    dataset = opened("kvasir-seg", {"images/a.jpg": mask, "masks/a.jpg": mask})
    assert dataset.classes == ("background", "polyp")
    np.testing.assert_array_equal(dataset[0].mask, mask[..., 0] // 255)


def test_the_fetched_sample_of_voc_has_its_classes_and_splits(tmp_path, at_hand, real_data):
    sample = real_data / "voc2012_sample"
    files = {
        f"VOCdevkit/VOC2012/{path.relative_to(sample).as_posix()}": path.read_bytes()
        for path in sample.rglob("*.*")
    }
    dataset = Dataset.open(fetch("voc2012", archive=at_hand(files), to=tmp_path / "out"))
    assert len(dataset.classes) == 21
    assert {name: len(part) for name, part in dataset.splits.items()} == {
        "train": 2,
        "validation": 2,
    }
