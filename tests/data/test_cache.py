import ast
import errno
import hashlib
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from delineate.data import cache as module
from delineate.data.cache import Cache, default_folder
from delineate.data.file_hashes import FileHashes
from delineate.data.looks.look import look_at
from delineate.data.reading import decode
from delineate.data.records import Record


def write(path, array):
    Image.fromarray(np.asarray(array)).save(path)
    return path


@pytest.fixture
def record(tmp_path):
    """An image with two objects, one mask file each."""
    masks = np.zeros((2, 12, 20), np.uint8)
    masks[0, 1:4, 2:6] = masks[1, 5:9, 9:20] = 255
    image = np.random.default_rng(0).integers(0, 255, (12, 20, 3), np.uint8)
    paths = [write(tmp_path / f"mask{n}.png", mask) for n, mask in enumerate(masks)]
    return Record("x", (write(tmp_path / "image.png", image),), tuple(paths), "objects")


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


@pytest.fixture
def decoding(monkeypatch):
    """The records that were decoded."""
    decoded = []
    monkeypatch.setattr(module, "decode", lambda one: (decoded.append(one.name), decode(one))[1])
    return decoded


def get(cache, record):
    return cache.get(record, content_of(record))


def content_of(record):
    return record.content_hash(FileHashes().of)


def look(cache, record):
    return cache.look(record, content_of(record))


def same(found, expected):
    np.testing.assert_array_equal(found.image, expected.image)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.instances, expected.instances)
    assert found.facts == expected.facts
    for name in ("image", "labels", "instances"):
        assert getattr(found, name).dtype == getattr(expected, name).dtype
    return True


def files(cache):
    return sorted(path for path in cache.folder.rglob("*") if path.is_file())


def test_the_cache_is_where_the_users_caches_are(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "delineate"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_folder() == tmp_path / "home" / ".cache" / "delineate"


def test_what_is_known_of_a_folder_is_found_by_its_place(tmp_path):
    place = str((tmp_path / "größer").resolve())
    path = Cache.open(tmp_path / "größer").hashes.path
    assert path.stem == hashlib.sha256(place.encode()).hexdigest()


def test_a_hit_is_not_decoded_again_and_has_the_same_pixels(cache, record, decoding):
    assert same(get(cache, record), decode(record))
    assert same(get(cache, record), decode(record))
    assert decoding == ["x"]


def test_a_hit_is_memory_mapped_and_cannot_be_written(cache, record):
    get(cache, record)
    found = get(cache, record)
    assert all(isinstance(a, np.memmap) for a in (found.image, found.labels, found.instances))
    with pytest.raises(ValueError, match="read-only"):
        found.image[0, 0, 0] = 0


def test_a_hit_does_not_need_the_parser_of_python(cache, record, decoding, monkeypatch):
    # Python 3.11's fails where several threads use it at once, with a SystemError.
    get(cache, record)
    monkeypatch.setattr(ast, "parse", None)
    get(cache, record)
    monkeypatch.undo()
    # Not again, as where an entry cannot be read.
    assert decoding == ["x"]


def test_the_name_of_an_entry_follows_from_the_content(cache, record, tmp_path, decoding):
    get(cache, record)
    copy = tmp_path / "copy.png"
    copy.write_bytes(record.images[0].read_bytes())
    get(cache, Record("y", (copy,), record.masks, "objects", split="test"))
    assert decoding == ["x"]
    assert len({path.name.split(".")[0] for path in files(cache)}) == 1
    assert {path.parent.name for path in files(cache)} == {content_of(record)[:2]}


def test_a_changed_file_is_another_entry(cache, record, decoding):
    get(cache, record)
    write(record.images[0], np.full((12, 20, 3), 9, np.uint8))
    assert (get(cache, record).image == 9).all()
    assert decoding == ["x", "x"]
    assert same(get(cache, record), decode(record))


def test_the_same_files_read_in_another_way_are_another_entry(cache, record):
    one = Record("x", record.images, record.masks[:1], "objects")
    whole = Record("x", record.images, record.masks[:1])
    third = Record("x", record.images, record.masks[:1], "classes", ids=(3,))
    fourth = Record("x", record.images, record.masks[:1], "classes", ids=(4,))
    assert len({content_of(each) for each in (one, whole, third, fourth)}) == 1
    assert set(get(cache, one).facts.values) == {0, 1}
    assert set(get(cache, whole).facts.values) == {0, 255}
    assert set(get(cache, third).facts.values) == {0, 3}
    assert set(get(cache, fourth).facts.values) == {0, 4}
    assert get(cache, whole).instances is None
    assert get(cache, one).instances is not None


def test_what_another_version_has_kept_is_not_read(cache, record, decoding, monkeypatch):
    get(cache, record)
    monkeypatch.setattr(module, "VERSION", "another")
    get(cache, record)
    assert decoding == ["x", "x"]


def damaged(path, how):
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    elif how == "cut":
        path.write_bytes(content[: len(content) - 7])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "other json":
        path.write_text("[1, 2]")
    elif how == "noise":
        path.write_bytes(b"\xff\x00" * 50)
    else:
        path.write_bytes(content + content)


@pytest.mark.parametrize("part", [".image", ".labels", ".instances"])
@pytest.mark.parametrize("how", ["gone", "cut", "empty", "noise", "twice"])
def test_an_entry_with_damaged_pixels_is_made_again(cache, record, decoding, part, how):
    get(cache, record)
    (path,) = [path for path in files(cache) if path.name.endswith(part)]
    damaged(path, how)
    assert same(get(cache, record), decode(record))
    assert same(get(cache, record), decode(record))
    assert decoding == ["x", "x"]


@pytest.mark.parametrize("how", ["gone", "cut", "empty", "noise", "other json"])
def test_an_entry_with_damaged_facts_is_made_again(cache, record, decoding, how):
    get(cache, record)
    (path,) = [path for path in files(cache) if path.suffix == ".json"]
    damaged(path, how)
    assert same(get(cache, record), decode(record))
    assert same(get(cache, record), decode(record))
    assert decoding == ["x", "x"]


def test_an_entry_counts_only_once_its_last_file_is_written(cache, record, decoding, monkeypatch):
    def crash(*_args, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_whole", crash)
        with pytest.raises(KeyboardInterrupt):
            get(cache, record)
    assert len(files(cache)) == 3
    assert same(get(cache, record), decode(record))
    assert decoding == ["x", "x"]


def test_a_cache_that_was_deleted_is_made_again(cache, record, decoding):
    get(cache, record)
    for path in files(cache):
        path.unlink()
    assert same(get(cache, record), decode(record))
    assert decoding == ["x", "x"]


def test_a_full_disk_costs_time_and_nothing_else(cache, record, monkeypatch, caplog):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    module._warn.cache_clear()
    monkeypatch.setattr(Path, "replace", full)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert same(get(cache, record), decode(record))
            assert look(cache, record).facts == decode(record).facts
    assert files(cache) == []
    (told,) = caplog.messages
    assert str(cache.folder) in told
    assert "No space left" in told


def test_a_look_gives_facts_and_fingerprint_and_reads_no_pixels_again(
    cache, record, decoding, monkeypatch
):
    expected = look_at(decode(record))
    assert look(cache, record) == expected
    monkeypatch.setattr(np, "load", None)
    assert look(cache, record) == expected
    assert decoding == ["x"]


@pytest.mark.parametrize("how", ["gone", "cut", "empty", "noise", "other json"])
def test_a_damaged_look_is_made_again(cache, record, how):
    expected = look(cache, record)
    (path,) = [path for path in files(cache) if path.name.endswith(".look.json")]
    damaged(path, how)
    assert look(cache, record) == expected
    assert look(cache, record) == expected


def test_threads_that_want_the_same_entry_all_get_it(cache, record):
    expected = decode(record)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: get(cache, record), range(40)))
    assert all(same(one, expected) for one in found)
    assert len(files(cache)) == 4


PROCESS = """
import sys
from pathlib import Path
from delineate.data.cache import Cache
from delineate.data.file_hashes import FileHashes
from delineate.data.records import Record
folder = Path(sys.argv[1])
masks = (folder / "mask0.png", folder / "mask1.png")
record = Record("x", (folder / "image.png",), masks, "objects")
content = record.content_hash(FileHashes().of)
print("ready", flush=True)
sys.stdin.readline()
cache = Cache(folder / "cache")
for _ in range(20):
    found = cache.get(record, content)
    assert int(found.instances.max()) == 2 and int(found.labels.sum()) == 56
    for path in cache.folder.rglob("[!.]*[!k].json"):
        path.unlink(missing_ok=True)
print(found.facts.objects)
"""


def test_two_processes_that_write_the_same_entry_do_not_harm_each_other(cache, record, tmp_path):
    command = [sys.executable, "-c", PROCESS, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    both = [subprocess.Popen(command, text=True, **pipes) for _ in range(2)]
    for one in both:
        assert one.stdout.readline() == "ready\n"
    for one in both:
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in both:
        assert one.communicate(timeout=60) == ("2\n", "")
    assert same(get(cache, record), decode(record))


def flipped(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


def zeroed(path, place):
    content = bytearray(path.read_bytes())
    content[place : place + 40] = bytes(40)
    path.write_bytes(content)


@pytest.mark.parametrize("how", [flipped, zeroed])
@pytest.mark.parametrize("part", [".image", ".labels", ".instances"])
def test_pixels_that_have_changed_on_the_disk_are_made_anew_with_a_word(
    cache, record, decoding, caplog, part, how
):
    get(cache, record)
    (path,) = [path for path in files(cache) if path.name.endswith(part)]
    # In a row of the second object.
    how(path, path.stat().st_size * 130 // (12 * 20))
    assert same(get(Cache(cache.folder), record), decode(record))
    (told,) = caplog.messages
    assert "is damaged, and is made anew" in told
    assert content_of(record)[:2] in told
    assert same(get(Cache(cache.folder), record), decode(record))
    assert decoding == ["x", "x"]
    assert len(caplog.messages) == 1


def test_facts_that_have_changed_on_the_disk_are_made_anew_with_a_word(
    cache, record, decoding, caplog
):
    get(cache, record)
    (path,) = [path for path in files(cache) if path.suffix == ".json"]
    text = path.read_text()
    assert '"channels": 3' in text
    path.write_text(text.replace('"overlap": 0', '"overlap": 7'))
    assert same(get(cache, record), decode(record))
    assert decoding == ["x", "x"]
    assert len(caplog.messages) == 1


def test_a_look_that_has_changed_on_the_disk_is_made_anew_with_a_word(cache, record, caplog):
    expected = look(cache, record)
    (path,) = [path for path in files(cache) if path.name.endswith(".look.json")]
    path.write_text(path.read_text().replace('"overlap": 0', '"overlap": 7'))
    assert look(cache, record) == expected
    assert len(caplog.messages) == 1
    assert look(cache, record) == expected
    assert len(caplog.messages) == 1


def test_the_checksum_is_verified_once_and_then_only_what_is_asked_for_is_read(
    cache, record, monkeypatch
):
    get(cache, record)
    sums, verified = module._sums, []
    monkeypatch.setattr(module, "_sums", lambda found: (verified.append(1), sums(found))[1])
    for _ in range(3):
        assert same(get(cache, record), decode(record))
    assert verified == [1]
    get(Cache(cache.folder), record)
    assert verified == [1, 1]


def test_arrays_of_any_order_and_type_have_a_checksum(cache, record):
    """What is written in the order of columns is the same in the order of rows."""
    decoded = decode(record)
    turned = replace(decoded, image=np.asfortranarray(decoded.image))
    assert module._sums(turned) == module._sums(decoded)
    other = replace(decoded, image=decoded.image.view(np.int8))
    assert module._sums(other)["image"] != module._sums(decoded)["image"]


def test_what_is_deleted_meanwhile_is_made_anew_without_a_word(cache, record, decoding, caplog):
    get(cache, record)
    files(cache)[0].unlink()
    assert same(get(cache, record), decode(record))
    assert decoding == ["x", "x"]
    assert caplog.messages == []
