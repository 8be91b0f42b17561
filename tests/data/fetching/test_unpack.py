"""Archives made here, most of them hostile, against the rules of ``unpack``."""

import bz2
import errno
import gzip
import io
import lzma
import os
import shutil
import stat
import struct
import subprocess
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from delineate.data.fetching import meter
from delineate.data.fetching import unpack as unpack_module
from delineate.data.fetching.unpack import free_folder, move_into_place, unpack
from delineate.errors import DataError

FILES = {"a/one.txt": b"one", "a/b/two.bin": bytes(range(256)) * 40, "three": b""}


def make_zip(path, files=FILES, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in dict(files).items():
            archive.writestr(name, content)
    return path


def make_tar(path, files=FILES, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in dict(files).items():
            add_to_tar(archive, name, content)
    return path


def add_to_tar(archive, name, content=b"", **attributes):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for key, value in attributes.items():
        setattr(member, key, value)
    archive.addfile(member, io.BytesIO(content))


def read_back(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refused(archive, reason, **options):
    """Unpack, expect a refusal with the reason, and nothing left beside the archive."""
    before = sorted(archive.parent.iterdir())
    with pytest.raises(DataError, match=reason) as caught:
        unpack(archive, archive.parent / "out", **options)
    assert sorted(archive.parent.iterdir()) == before
    assert str(archive) in caught.value.message
    assert caught.value.hint.endswith(".")


# What is unpacked


def test_a_zip_gives_its_files(tmp_path):
    unpack(make_zip(tmp_path / "x.zip"), tmp_path / "out")
    assert read_back(tmp_path / "out") == FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "x.zip"]


def test_a_stored_zip_gives_its_files(tmp_path):
    unpack(make_zip(tmp_path / "x.zip", method=zipfile.ZIP_STORED), tmp_path / "out")
    assert read_back(tmp_path / "out") == FILES


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_gives_its_files_whatever_it_is_called(tmp_path, mode):
    unpack(make_tar(tmp_path / "archive.bin", mode=mode), tmp_path / "out")
    assert read_back(tmp_path / "out") == FILES


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_tar_with_long_names_gives_them(tmp_path, form):
    name = "/".join(["d" * 120] * 3) + "/ö.png"
    with tarfile.open(tmp_path / "x.tar", "w", format=form) as archive:
        add_to_tar(archive, name, b"long")
    unpack(tmp_path / "x.tar", tmp_path / "out")
    assert read_back(tmp_path / "out") == {name: b"long"}


@pytest.mark.skipif(shutil.which("tar") is None, reason="there is no tar program")
def test_what_the_tar_program_packs_comes_back(tmp_path):
    source = tmp_path / "source"
    for name, content in FILES.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)
    subprocess.run(["tar", "-czf", tmp_path / "x.tgz", "-C", source, "."], check=True)
    unpack(tmp_path / "x.tgz", tmp_path / "out")
    assert read_back(tmp_path / "out") == FILES


def test_empty_folders_are_made(tmp_path):
    make_zip(tmp_path / "x.zip", {"masks/": b"", "image.png": b"i"})
    unpack(tmp_path / "x.zip", tmp_path / "zip")
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        add_to_tar(archive, "masks", type=tarfile.DIRTYPE)
        add_to_tar(archive, "image.png", b"i")
    unpack(tmp_path / "x.tar", tmp_path / "tar")
    assert (tmp_path / "zip" / "masks").is_dir()
    assert (tmp_path / "tar" / "masks").is_dir()


def test_litter_is_skipped_and_archives_inside_stay_files(tmp_path):
    inner = make_zip(tmp_path / "inner.zip").read_bytes()
    litter = {"__MACOSX/a/._x": b"x", "a/.DS_Store": b"x", "a/b/Thumbs.db": b"x"}
    kept = {"a/inner.zip": inner, "a/thumbs.png": b"kept"}
    unpack(make_zip(tmp_path / "x.zip", litter | kept), tmp_path / "zip")
    unpack(make_tar(tmp_path / "x.tar", litter | kept), tmp_path / "tar")
    assert read_back(tmp_path / "zip") == kept
    assert read_back(tmp_path / "tar") == kept


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_modes_are_plain_whatever_the_archive_says(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        add_to_tar(archive, "folder", type=tarfile.DIRTYPE, mode=0o000)
        add_to_tar(archive, "folder/program", b"#!", mode=0o6777)
    plain, plain_folder = tmp_path / "plain", tmp_path / "plain_folder"
    plain.touch()
    plain_folder.mkdir()
    unpack(tmp_path / "x.tar", tmp_path / "out")
    assert (tmp_path / "out/folder/program").stat().st_mode == plain.stat().st_mode
    assert (tmp_path / "out/folder").stat().st_mode == plain_folder.stat().st_mode
    assert (tmp_path / "out").stat().st_mode == plain_folder.stat().st_mode


def test_progress_rises_to_the_size_of_the_archive(tmp_path):
    for archive in (make_zip(tmp_path / "x.zip"), make_tar(tmp_path / "x.tgz", mode="w:gz")):
        calls = []
        unpack(archive, tmp_path / f"{archive.name}-out", progress=lambda *call: calls.append(call))  # noqa: B023
        size = archive.stat().st_size
        assert calls == sorted(calls)
        assert calls[-1] == (size, size)
        assert all(total == size for _, total in calls)
        assert len(calls) == len(FILES) + 1


def test_an_error_in_progress_passes_unchanged_and_leaves_nothing(tmp_path):
    def stop(done, total):
        raise ValueError("stop")

    make_zip(tmp_path / "x.zip")
    with pytest.raises(ValueError, match="stop"):
        unpack(tmp_path / "x.zip", tmp_path / "out", progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


# Where it goes


def test_an_existing_empty_folder_and_missing_parents_are_fine(tmp_path):
    make_zip(tmp_path / "x.zip")
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "not" / "yet" / "there"):
        unpack(tmp_path / "x.zip", folder)
        assert read_back(folder) == FILES


def test_a_folder_that_holds_something_is_refused_before_the_archive_is_read(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    (tmp_path / "x.zip").write_bytes(b"no archive at all")
    with pytest.raises(DataError, match="out exists and is not empty"):
        unpack(tmp_path / "x.zip", tmp_path / "out")
    assert read_back(tmp_path / "out") == {"mine": b"mine"}


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(DataError, match="out is a file"):
        free_folder(tmp_path / "out")


def test_a_place_that_was_taken_meanwhile_is_left_alone(tmp_path):
    (tmp_path / "fresh").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(DataError, match="out cannot be written"):
        move_into_place(tmp_path / "fresh", tmp_path / "out")
    assert (tmp_path / "out" / "mine").exists()


def test_a_parent_that_is_a_file_is_an_error(tmp_path):
    make_zip(tmp_path / "x.zip")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file cannot be written"):
        unpack(tmp_path / "x.zip", tmp_path / "file" / "out")


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    make_zip(tmp_path / "x.zip")
    monkeypatch.setattr(unpack_module, "_write", full)
    with pytest.raises(DataError, match=r"cannot be written: No space left on device\."):
        unpack(tmp_path / "x.zip", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


def test_a_missing_archive_and_a_folder_are_errors(tmp_path):
    for name in ("nothing.zip", "."):
        with pytest.raises(DataError, match="cannot be read"):
            unpack(tmp_path / name, tmp_path / "out")


# Names

UNSAFE_NAMES = {
    "/etc/passwd": "an absolute path",
    "../up": r"'\.\.' in its path",
    "a/../../up": r"'\.\.' in its path",
    "__MACOSX/../../up": r"'\.\.' in its path",
    "C:/windows": "a drive letter",
    "a/c:evil": "a drive letter",
    "a\\b": "a backslash",
    "n" * 256: "more than 255 bytes",
    "a/" + "ö" * 128: "more than 255 bytes",
    "d/" * 64 + "file": "more than 64 folders",
    ("d" * 200 + "/") * 21 + "file": "more than 4096 bytes",
}


@pytest.mark.parametrize(("name", "reason"), UNSAFE_NAMES.items())
def test_unsafe_names_are_refused(tmp_path, name, reason):
    refused(make_zip(tmp_path / "x.zip", {"good": b"", name: b"evil"}), reason)
    refused(make_tar(tmp_path / "x.tar", {"good": b"", name: b"evil"}), reason)


def test_a_name_of_255_bytes_is_fine(tmp_path):
    files = {"n" * 255: b"long"}
    unpack(make_zip(tmp_path / "x.zip", files), tmp_path / "out")
    assert read_back(tmp_path / "out") == files


def test_a_nul_in_a_name_is_refused(tmp_path):
    archive = make_zip(tmp_path / "x.zip", {"image.pngXhtml": b"x"})
    archive.write_bytes(archive.read_bytes().replace(b"pngX", b"png\0"))
    refused(archive, "a NUL character")
    with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        add_to_tar(tar, "short", b"x", pax_headers={"path": "image.png\0html"})
    refused(tmp_path / "x.tar", "a NUL character")


def test_an_empty_name_is_refused(tmp_path):
    refused(make_tar(tmp_path / "x.tar", {".": b"x"}), "an empty name")
    archive = make_zip(tmp_path / "x.zip", {"a": b"x"})
    # The only letter of the name becomes what is called an extra field.
    patch_zip_directory(patch_zip_directory(archive, 28, "<H", 0), 30, "<H", 1)
    refused(archive, "an empty name")


def test_a_name_that_begins_with_a_nul_is_refused(tmp_path):
    archive = make_zip(tmp_path / "x.zip", {"Xpng": b"x"})
    archive.write_bytes(archive.read_bytes().replace(b"Xpng", b"\0png"))
    refused(archive, "a NUL character")


@pytest.mark.parametrize(
    "names",
    [
        ("a/x.png", "a/x.png"),
        ("a/x.png", "A/X.PNG"),
        ("a/x.png", "a//./x.png"),
        ("\u00e9.png", "e\u0301.png"),
        ("a", "a/x.png"),
        ("a/x.png", "A"),
        ("a", "a/b/"),
    ],
)
def test_names_that_meet_in_one_place_are_refused(tmp_path, names):
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for name in names:
            add_to_tar(tar, name, type=tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE)
    refused(tmp_path / "x.tar", "twice, case aside")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name in names:
            archive.NameToInfo.clear()  # Else zipfile warns about the duplicate.
            archive.writestr(name, b"")
    refused(tmp_path / "x.zip", "twice, case aside")


def test_a_folder_may_be_named_twice(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for name in ("a", "a/x", "a"):
            add_to_tar(tar, name, type=tarfile.REGTYPE if "/" in name else tarfile.DIRTYPE)
    unpack(tmp_path / "x.tar", tmp_path / "out")
    assert read_back(tmp_path / "out") == {"a/x": b""}


# Kinds


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"Z"],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        add_to_tar(tar, "good", b"good")
        add_to_tar(tar, "evil", type=kind, linkname="good")
    refused(tmp_path / "x.tar", "'evil' that is a link or a device")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_in_a_zip_are_refused(tmp_path, kind):
    link = zipfile.ZipInfo("evil")
    link.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    refused(tmp_path / "x.zip", "'evil' that is a link or a device")


def patch_zip_directory(path, offset, form, value):
    """Overwrite a field of the first entry of the central directory."""
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, content.index(b"PK\x01\x02") + offset, value)
    path.write_bytes(content)
    return path


def test_encrypted_members_are_refused(tmp_path):
    archive = make_zip(tmp_path / "x.zip", {"secret": b"x"})
    refused(patch_zip_directory(archive, 8, "<H", 1), "encrypted member 'secret'")


def test_unusual_methods_of_compression_are_refused(tmp_path):
    archive = make_zip(tmp_path / "x.zip", {"a": b"x"}, method=zipfile.ZIP_LZMA)
    refused(archive, "'a' compressed by method 14, not deflate")


# Amounts


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack_module, "MAX_MEMBERS", 2)
    refused(make_zip(tmp_path / "x.zip"), "more than 2 members")
    refused(make_tar(tmp_path / "x.tar"), "more than 2 members")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_too_many_folders_are_refused_and_any_number_of_files_is_not(tmp_path, monkeypatch, make):
    monkeypatch.setattr(unpack_module, "MAX_FOLDERS", 2)
    files = FILES | {f"a/b/{number}": b"" for number in range(50)}
    unpack(make(tmp_path / "few", files), tmp_path / "some")
    assert read_back(tmp_path / "some") == files
    monkeypatch.setattr(unpack_module, "MAX_FOLDERS", 1)
    refused(make(tmp_path / "many"), "more than 1 folders")


def test_a_folder_is_kept_once_however_many_files_are_in_it(tmp_path):
    """Its path has a kilobyte, of which each of many files would take another one."""
    (tmp_path / "x.tar").write_bytes(b"x" * 10**6)
    ledger = unpack_module._Ledger(tmp_path / "x.tar", 100)
    folder = "/".join(["d" * 19] * 50)
    tracemalloc.start()
    try:
        for number in range(5_000):
            ledger.admit(f"{folder}/{number}", size=0, is_folder=False, is_file=True)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 3 * 10**6


def test_too_many_members_of_a_zip_are_refused_before_they_become_objects(tmp_path, monkeypatch):
    archive = make_zip(tmp_path / "x.zip")
    monkeypatch.setattr(unpack_module, "MAX_MEMBERS", 2)
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it has been opened"))
    refused(archive, "more than 2 members")


def test_a_long_list_of_members_is_refused_before_it_is_read(tmp_path, monkeypatch):
    archive = make_zip(tmp_path / "x.zip", {"n" * 200: b""})
    monkeypatch.setattr(unpack_module, "MAX_LIST_BYTES", 200)
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it has been opened"))
    refused(archive, "has a list of members of 246 bytes")


def test_a_zip_of_64_bits_and_one_with_a_comment_give_their_files(tmp_path, monkeypatch):
    with zipfile.ZipFile(make_zip(tmp_path / "comment.zip"), "a") as archive:
        archive.comment = b"a comment" * 1000
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    make_zip(tmp_path / "wide.zip")
    for name in ("comment", "wide"):
        unpack(tmp_path / f"{name}.zip", tmp_path / name)
        assert read_back(tmp_path / name) == FILES


def test_a_declared_size_over_the_limit_is_refused(tmp_path):
    total = sum(map(len, FILES.values()))
    archive = make_zip(tmp_path / "x.zip")
    refused(archive, f"more than {total - 1} bytes", max_bytes=total - 1)
    unpack(archive, tmp_path / "out", max_bytes=total)
    assert read_back(tmp_path / "out") == FILES


def test_a_tar_is_counted_while_it_is_read(tmp_path):
    refused(make_tar(tmp_path / "x.tar"), "more than 1500 bytes", max_bytes=1500)


def test_bytes_are_counted_while_they_are_written(tmp_path, monkeypatch):
    ledger = unpack_module._Ledger(make_zip(tmp_path / "x.zip"), 100)
    entry = unpack_module._Entry(Path("a"), 10, io.BytesIO(bytes(101)), 0)
    with pytest.raises(DataError, match="more than 100 bytes"):
        unpack_module._write(entry, tmp_path, ledger)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_bomb_is_refused(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(meter, "RATIO_FROM_BYTES", 10**6)
    make = {"zip": make_zip, "tar": lambda path, files: make_tar(path, files, "w:gz")}[kind]
    bomb = make(tmp_path / f"bomb.{kind}", {"zeros": bytes(3 * 10**6)})
    assert 200 * bomb.stat().st_size < 3 * 10**6
    refused(bomb, "more than 200 times its size")
    small = make(tmp_path / f"small.{kind}", {"zeros": bytes(9 * 10**5)})
    unpack(small, tmp_path / "out")
    assert (tmp_path / "out" / "zeros").stat().st_size == 9 * 10**5


def test_a_tar_header_that_claims_much_is_not_read_into_memory(tmp_path):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 10**8
    (tmp_path / "x.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(10**6))
    refused(tmp_path / "x.tar", "a header of 100000256 bytes")


# Damage


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_every_cut_of_a_tar_is_noticed(tmp_path, mode):
    content = make_tar(tmp_path / "whole.tar", mode=mode).read_bytes()
    # The zeros after the first block of zeros say nothing, so a plain tar may lose them.
    end = len(content) if mode != "w" else 512 * 3 + 512 * 21
    for cut in {*range(1, end, end // 23), min(512, end - 1), min(1024, end - 1), end - 1}:
        (tmp_path / "cut.tar").write_bytes(content[:cut])
        refused(tmp_path / "cut.tar", "is damaged")


def test_every_cut_of_a_zip_is_noticed(tmp_path):
    content = make_zip(tmp_path / "whole.zip").read_bytes()
    for cut in (*range(1, len(content), len(content) // 23), len(content) - 1):
        (tmp_path / "cut.zip").write_bytes(content[:cut])
        refused(tmp_path / "cut.zip", "is damaged")


def test_a_wrong_checksum_in_a_zip_is_noticed(tmp_path):
    archive = make_zip(tmp_path / "x.zip", {"a": b"content"}, zipfile.ZIP_STORED)
    archive.write_bytes(archive.read_bytes().replace(b"content", b"Content"))
    refused(archive, "is damaged.*Bad CRC-32")


def test_a_wrong_checksum_in_a_compressed_tar_is_noticed(tmp_path):
    archive = make_tar(tmp_path / "x.tgz", mode="w:gz")
    content = bytearray(archive.read_bytes())
    content[-8] ^= 1
    archive.write_bytes(content)
    refused(archive, "is damaged.*CRC check failed")


def test_a_broken_header_in_a_tar_is_not_taken_for_its_end(tmp_path):
    archive = make_tar(tmp_path / "x.tar", {"a": b"a", "b": b"b"})
    content = bytearray(archive.read_bytes())
    content[1024 + 150] ^= 1
    archive.write_bytes(content)
    refused(archive, "is damaged.*breaks off")


@pytest.mark.parametrize("size", [5, 7])
def test_a_wrong_size_in_a_zip_is_noticed(tmp_path, size):
    archive = make_zip(tmp_path / "x.zip", {"a": b"123456"})
    refused(patch_zip_directory(archive, 24, "<I", size), "is damaged")


def test_names_that_are_no_text_are_damage(tmp_path):
    archive = make_zip(tmp_path / "x.zip", {"ö": b""})
    archive.write_bytes(archive.read_bytes().replace("ö".encode(), b"\xff\xff"))
    refused(archive, "is damaged")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>404</html>",
        b"PK\x03\x04",
        bytes(range(256)) * 8,
        # gzip writes the second into its header, and the bytes are this test's name: two workers that
        # collect in different seconds would disagree about what there is to run.
        gzip.compress(b"one mask, no tar", mtime=0),
        bz2.compress(b"one mask, no tar"),
        lzma.compress(b"one mask, no tar"),
        b"BZh9" + bytes(100),
    ],
)
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    refused(tmp_path / "x.zip", "is damaged, or is no zip or tar archive")


def test_archives_without_files_are_refused(tmp_path):
    refused(make_zip(tmp_path / "x.zip", {}), "holds no files")
    refused(make_tar(tmp_path / "x.tar", {}), "holds no files")
    refused(make_zip(tmp_path / "y.zip", {".DS_Store": b"x", "a/": b""}), "holds no files")
