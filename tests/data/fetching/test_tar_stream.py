"""Headers of tar archives: those that programs write are read, and those that do harm are not."""

import io
import os
import shutil
import subprocess
import tarfile
from contextlib import suppress

import pytest

from delineate.data.fetching import tar_stream
from delineate.data.fetching.unpack import unpack
from delineate.errors import DataError

NAME = "ordner/größe-" + "ü" * 100 + ".png"


def header(name="image.png", kind=tarfile.REGTYPE, size=0):
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.USTAR_FORMAT)


def extended(body, kind=tarfile.XHDTYPE):
    return header("././@PaxHeader", kind, len(body)) + body + bytes(-len(body) % 512)


def record(keyword, value=b""):
    """A record of a pax header: its length counts itself."""
    rest = b" " + keyword + b"=" + value + b"\n"
    length = next(n for n in range(10**6) if len(str(n)) + len(rest) == n)
    return str(length).encode() + rest


def made(path, *parts):
    path.write_bytes(b"".join(parts) + bytes(1024))
    return path


def refused(archive, reason):
    with pytest.raises(DataError, match=reason) as error:
        unpack(archive, archive.parent / "out")
    assert str(archive) in error.value.message
    assert error.value.hint.endswith(".")
    assert list(archive.parent.iterdir()) == [archive]


def files_in(folder):
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


# What programs write


def test_records_of_every_kind_are_read(tmp_path):
    records = [
        record(b"path", NAME.encode()),
        record(b"mtime", b"1700000000.123456789"),
        record(b"uname", "Jürgen".encode()),
        record(b"SCHILY.xattr.user.note", b"two\nlines, and a NUL \0 = in \n them"),
        record(b"LIBARCHIVE.xattr.user.note", b"QUJD" * 1000),
        record(b"comment", b"1" * tar_stream.MAX_DIGITS),
        record(b"size", b"7"),
    ]
    content = header() + b"content" + bytes(505)
    made(tmp_path / "x.tar", extended(b"".join(records)), content)
    unpack(tmp_path / "x.tar", tmp_path / "out")
    assert files_in(tmp_path / "out") == {NAME: b"content"}


def test_the_longest_name_that_is_unpacked_may_be_in_a_header(tmp_path):
    # Shorter than all paths may be, so that the file system takes it.
    name = "/".join(["o" * 200] * 15)
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / f"{form}.tar", "w", format=form) as archive:
            archive.addfile(tarfile.TarInfo(name))
        unpack(tmp_path / f"{form}.tar", tmp_path / str(form))
        assert files_in(tmp_path / str(form)) == {name: b""}
    assert tar_stream.MAX_HEADER_BYTES >= 2 * 64 * 256


def test_a_header_for_all_members_holds_for_them(tmp_path):
    headers = {"comment": "4b825dc642cb6eb9a060e54bf8d69288fbee4904", "mtime": "1700000000.5"}
    with tarfile.open(tmp_path / "x.tar", "w", pax_headers=headers) as archive:
        for name in ("a", "b", NAME):
            archive.addfile(tarfile.TarInfo(name))
    unpack(tmp_path / "x.tar", tmp_path / "out")
    assert files_in(tmp_path / "out") == dict.fromkeys(("a", "b", NAME), b"")


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
def test_what_git_archives_is_unpacked(tmp_path):
    source = tmp_path / "source"
    (source / NAME).parent.mkdir(parents=True)
    (source / NAME).write_bytes(b"content")
    settings = ["user.name=a", "user.email=a@b", "commit.gpgsign=false"]
    git = ["git", "-C", source, *(each for setting in settings for each in ("-c", setting))]
    for said in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *said], check=True)
    with (tmp_path / "x.tar").open("wb") as out:
        subprocess.run([*git, "archive", "--format=tar", "HEAD"], check=True, stdout=out)
    assert b"comment=" in (tmp_path / "x.tar").read_bytes()
    unpack(tmp_path / "x.tar", tmp_path / "out")
    assert files_in(tmp_path / "out") == {NAME: b"content"}


def gnu_tar(*said):
    """Run GNU tar; the test is skipped where there is another one."""
    if shutil.which("tar") is None:
        pytest.skip("there is no tar program")
    about = subprocess.run(["tar", "--version"], capture_output=True, text=True, check=False)
    if "GNU tar" not in about.stdout:
        pytest.skip("there is no GNU tar")
    subprocess.run(["tar", *said], check=True)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        (NAME, ["--format=gnu"]),
        (NAME, ["--format=pax", "--xattrs"]),
        ("ordner/größe.png", ["--format=ustar"]),
    ],
    ids=["gnu", "pax", "ustar"],
)
def test_what_gnu_tar_packs_is_unpacked(tmp_path, name, how):
    source = tmp_path / "source"
    (source / name).parent.mkdir(parents=True)
    (source / name).write_bytes(b"content")
    # Not every file system keeps them.
    with suppress(OSError, AttributeError):
        os.setxattr(source / name, "user.note", b"two\nlines\0" * 100)
    gnu_tar(*how, "-cf", tmp_path / "x.tar", "-C", source, ".")
    unpack(tmp_path / "x.tar", tmp_path / "out")
    assert files_in(tmp_path / "out") == {name: b"content"}


# What does harm


def test_a_header_that_is_longer_than_names_need_is_refused(tmp_path):
    body = record(b"comment", b"x" * tar_stream.MAX_HEADER_BYTES)
    refused(made(tmp_path / "x.tar", extended(body), header()), "has a header of 33280 bytes")


def test_a_megabyte_of_digits_is_refused_at_once(tmp_path):
    refused(made(tmp_path / "x.tar", extended(b"1" * 2**20), header()), "a header of 1048576 bytes")


def test_headers_of_one_member_are_counted_together(tmp_path):
    several = [extended(record(b"comment", b"x" * 500))] * 200
    refused(made(tmp_path / "x.tar", *several, header()), "has a header of 33792 bytes")


def test_headers_of_many_members_are_not_counted_together(tmp_path):
    members = [
        extended(record(b"comment", b"x" * 500)) + header(f"{number}.png") for number in range(200)
    ]
    unpack(made(tmp_path / "x.tar", *members), tmp_path / "out")
    assert len(files_in(tmp_path / "out")) == 200


@pytest.mark.parametrize("keyword", [b"comment", b"path"])
def test_a_long_row_of_digits_is_refused(tmp_path, keyword):
    body = record(keyword, b"1" * (tar_stream.MAX_DIGITS + 1))
    refused(made(tmp_path / "x.tar", extended(body), header()), "a number of more than 100 digits")


BAD_RECORDS = {
    "each keyword to the end": b"2 " * 5000 + b"k=",
    "no line feed": b"6 a=b",
    "longer than the header": b"7 a=b\n",
    "too short": b"5 a=b\n",
    "of no length": b"0 a=b\n",
    "a zero before the length": b"07 a=b\n",
    "no keyword": b"5 =b\n",
    "a second one that breaks off": b"6 a=b\n6 c=d\n2 ",
    "a gap": b"6 a=b\n" + bytes(2) + b"6 c=d\n",
    "words": b"no records",
    "a length of seven digits": b"9999999 a=b\n",
}


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE])
@pytest.mark.parametrize("body", BAD_RECORDS.values(), ids=BAD_RECORDS.keys())
def test_records_that_do_not_end_where_they_say_are_damage(tmp_path, kind, body):
    archive = made(tmp_path / "x.tar", extended(body, kind), header())
    refused(archive, "is damaged.*without records")


def test_what_stands_behind_the_records_is_looked_at_too(tmp_path):
    """tarfile reads whole blocks, and whatever is in them."""
    good = record(b"path", b"image.png")
    block = good + b"2 " * 200 + b"k="
    content = header("././@PaxHeader", tarfile.XHDTYPE, len(good)) + block.ljust(512, b"\0")
    refused(made(tmp_path / "x.tar", content, header()), "is damaged.*without records")


def test_headers_for_all_members_are_counted_together(tmp_path):
    headers = [
        extended(record(b"keyword%d" % number, b"x" * 400), tarfile.XGLTYPE)
        + header(f"{number}.png")
        for number in range(100)
    ]
    refused(made(tmp_path / "x.tar", *headers), "global headers of more than 32768 bytes")


def test_a_header_of_less_than_nothing_is_refused(tmp_path):
    content = bytearray(header("././@PaxHeader", tarfile.XHDTYPE))
    # A number in base 256 (GNU), and the sum of the bytes, the eight of the sum as spaces.
    content[124:136] = b"\xff" * 12
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content)
    refused(made(tmp_path / "x.tar", bytes(content), header()), "has a header of")


def old_sparse(continued):
    """A sparse file as GNU tar first wrote them, with so many more blocks for its map."""
    content = bytearray(header(kind=tarfile.GNUTYPE_SPARSE))
    content[257:265] = tarfile.GNU_MAGIC
    content[482] = continued > 0
    content[483:495] = b"%011o\0" % 10
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content)
    part = (b"%011o\0" % 1) * 42
    blocks = [part.ljust(512, bytes([number > 1])) for number in range(continued, 0, -1)]
    return bytes(content) + b"".join(blocks)


@pytest.mark.parametrize(
    "content",
    [
        old_sparse(0),
        old_sparse(1000),
        extended(record(b"GNU.sparse.map", b"0,1")) + header(),
        extended(record(b"GNU.sparse.major", b"1") + record(b"GNU.sparse.minor", b"0")) + header(),
        extended(record(b"GNU.sparse.size", b"1"), tarfile.XGLTYPE) + header(),
    ],
    ids=["old", "old and long", "0.1", "1.0", "global"],
)
def test_sparse_files_are_refused(tmp_path, content):
    refused(made(tmp_path / "x.tar", content), "has a sparse file")


@pytest.mark.parametrize("form", ["gnu", "pax"])
def test_sparse_files_of_gnu_tar_are_refused(tmp_path, form):
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(10**7)
    gnu_tar(f"--format={form}", "-Scf", tmp_path / "x.tar", "-C", tmp_path, "holes")
    (tmp_path / "holes").unlink()
    refused(tmp_path / "x.tar", "has a sparse file")


def test_bytes_that_were_looked_at_are_read_once(tmp_path):
    """A member may come right behind a header that was looked at, and another one behind that."""
    content = header(size=3) + b"abc" + bytes(509)
    parts = [extended(record(b"path", b"%d.png" % number)) + content for number in range(3)]
    unpack(made(tmp_path / "x.tar", *parts), tmp_path / "out")
    assert files_in(tmp_path / "out") == dict.fromkeys(("0.png", "1.png", "2.png"), b"abc")


def test_every_header_passes_the_stream_on_this_python(monkeypatch):
    """tarfile calls _proc_member for each header: were it to stop, nothing would be looked at."""
    seen = []
    monkeypatch.setattr(tar_stream.TarStream, "look_ahead", lambda _, kind, size: seen.append(kind))
    comment = record(b"comment")
    content = extended(comment, tarfile.XGLTYPE) + extended(comment) + header() + bytes(1024)
    stream = tar_stream.TarStream(io.BytesIO(content), Unlimited())
    with tarfile.TarFile(fileobj=stream, mode="r", tarinfo=tar_stream.Member) as archive:
        assert archive.next().name == "image.png"
    assert seen == [tarfile.XGLTYPE, tarfile.XHDTYPE, tarfile.REGTYPE]


class Unlimited:
    total = 0

    def add(self, count):
        self.total += count
