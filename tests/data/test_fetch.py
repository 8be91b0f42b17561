"""Fetching against a server on loopback, and from archives made here."""

import dataclasses
import http.server
import io
import logging
import re
import socket
import threading
import time
import zipfile
from hashlib import sha256

import pytest

from delineate.data import fetch as fetch_module
from delineate.data.fetch import SOURCES, fetch, find_source
from delineate.errors import DataError, UsageError

FILES = {
    "id1/images/id1.png": bytes(range(256)) * 8,
    "id1/masks/m1.png": b"mask 1",
    "id2/images/id2.png": b"image 2",
    "id2/masks/m2.png": b"mask 2",
}


def packed(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


ARCHIVE = packed(FILES)


def read_back(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves ``server.content``; each request takes the next of ``server.plan``."""

    def do_GET(self):
        server = self.server
        server.ranges.append(self.headers["Range"])
        step = server.plan.pop(0) if server.plan else {}
        start = self.start(step)
        total = len(server.content)
        if "status" in step:
            return self.answer(step["status"], step.get("headers", {}), b"")
        if start is None:
            return self.answer(200, {}, server.content, step)
        if start >= total:
            return self.answer(416, {"Content-Range": f"bytes */{total}"}, b"")
        shown = start + step.get("shift", 0)
        headers = {"Content-Range": f"bytes {shown}-{total - 1}/{total}"}
        return self.answer(206, headers, server.content[start:], step)

    def start(self, step):
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        return int(asked[1]) if asked and step.get("ranges", True) else None

    def answer(self, status, headers, body, step=None):
        step = step or {}
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if not step.get("unsized"):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: step.get("cut", len(body))])

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        serving.content, serving.plan, serving.ranges = ARCHIVE, [], []
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture
def tiny(server, monkeypatch):
    """A source like dsb2018 at the loopback server, with a known checksum."""
    source = dataclasses.replace(
        SOURCES["dsb2018"],
        name="tiny",
        urls=(f"http://127.0.0.1:{server.server_port}/tiny.zip",),
        sha256s={sha256(ARCHIVE).hexdigest(): "tiny edition"},
        filename="tiny.zip",
    )
    monkeypatch.setitem(SOURCES, "tiny", source)
    return source


def change(monkeypatch, source, **values):
    monkeypatch.setitem(SOURCES, "tiny", dataclasses.replace(source, **values))


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """No waiting; the waits that were asked for."""
    asked = []
    monkeypatch.setattr(time, "sleep", asked.append)
    return asked


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch):
    """Every host but this one is unknown, and no proxy stands between."""
    resolve = socket.getaddrinfo

    def guarded(host, *arguments, **options):
        if host not in ("127.0.0.1", "localhost"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", guarded)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


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
def test_the_folder_is_the_name_by_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(fetch("tiny")) == "tiny"
    assert read_back(tmp_path / "tiny") == FILES


@pytest.mark.usefixtures("tiny")
def test_a_proxy_is_not_asked_for_loopback(tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    assert read_back(fetch("tiny", to=tmp_path / "out")) == FILES


@pytest.mark.usefixtures("tiny")
def test_a_download_without_a_length_is_taken(tmp_path, server):
    server.plan = [{"unsized": True}]
    calls = []
    fetch("tiny", to=tmp_path / "out", progress=lambda *call: calls.append(call))
    assert calls[0] == (len(ARCHIVE), 0)
    assert read_back(tmp_path / "out") == FILES


@pytest.mark.usefixtures("tiny")
def test_a_cut_connection_is_continued_where_it_ended(tmp_path, server, waits):
    server.plan = [{"cut": 100}, {"cut": 50}]
    assert read_back(fetch("tiny", to=tmp_path / "out")) == FILES
    assert server.ranges == [None, "bytes=100-", "bytes=150-"]
    assert waits == [1.0, 4.0]


@pytest.mark.usefixtures("tiny")
def test_a_server_that_cannot_continue_starts_anew(tmp_path, server):
    server.plan = [{"cut": 100}, {"ranges": False}]
    assert read_back(fetch("tiny", to=tmp_path / "out")) == FILES
    assert server.ranges == [None, "bytes=100-"]


@pytest.mark.usefixtures("tiny")
def test_a_server_that_continues_elsewhere_is_asked_anew(tmp_path, server):
    server.plan = [{"cut": 100}, {"shift": 1}]
    assert read_back(fetch("tiny", to=tmp_path / "out")) == FILES
    assert server.ranges == [None, "bytes=100-", None]


@pytest.mark.usefixtures("tiny")
def test_a_part_survives_a_failure_and_the_next_fetch_continues_it(tmp_path, server, waits):
    server.plan = [{"cut": 10}] * 4
    with pytest.raises(DataError, match=f"ended after 40 of {len(ARCHIVE)} bytes") as caught:
        fetch("tiny", to=tmp_path / "out")
    assert "pass --from ARCHIVE" in caught.value.hint
    assert waits == [1.0, 4.0, 15.0]
    assert [path.name for path in tmp_path.iterdir()] == ["out.part"]
    assert read_back(fetch("tiny", to=tmp_path / "out")) == FILES
    assert server.ranges[-1] == "bytes=40-"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.usefixtures("tiny")
def test_a_complete_part_is_used_as_it_is(tmp_path, server):
    (tmp_path / "out.part").write_bytes(ARCHIVE)
    assert read_back(fetch("tiny", to=tmp_path / "out")) == FILES
    assert server.ranges == [f"bytes={len(ARCHIVE)}-"]


@pytest.mark.usefixtures("tiny")
def test_a_part_longer_than_the_file_is_thrown_away(tmp_path, server):
    (tmp_path / "out.part").write_bytes(ARCHIVE + b"more")
    assert read_back(fetch("tiny", to=tmp_path / "out")) == FILES
    assert server.ranges == [f"bytes={len(ARCHIVE) + 4}-", None]


@pytest.mark.usefixtures("tiny")
def test_a_wrong_checksum_is_refused_and_the_part_goes(tmp_path, server):
    server.content = packed(FILES | {"id1/masks/m1.png": b"another"})
    with pytest.raises(DataError, match=sha256(server.content).hexdigest()) as caught:
        fetch("tiny", to=tmp_path / "out")
    assert "pass --from ARCHIVE" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_without_a_known_checksum_the_structure_decides(
    tmp_path, server, tiny, monkeypatch, caplog
):
    change(monkeypatch, tiny, sha256s={})
    assert read_back(fetch("tiny", to=tmp_path / "out")) == FILES
    assert f"checksum not known ({sha256(ARCHIVE).hexdigest()}); structure verified" in caplog.text
    server.content = packed({"readme.txt": b"moved"})
    with pytest.raises(DataError, match="is not tiny: it has no folders"):
        fetch("tiny", to=tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.usefixtures("tiny")
def test_a_verified_download_is_kept_when_the_folder_cannot_be_made(tmp_path, monkeypatch):
    def fail(*_arguments, **_options):
        raise DataError("The disk is full.", hint="Free space.")

    with monkeypatch.context() as patched:
        patched.setattr(fetch_module, "unpack", fail)
        with pytest.raises(DataError, match="The disk is full"):
            fetch("tiny", to=tmp_path / "out")
    assert (tmp_path / "out.part").read_bytes() == ARCHIVE


# Downloads that cannot be


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(("status", "requests"), [(404, 1), (403, 1), (503, 4)])
def test_http_errors_name_the_address_and_only_passing_ones_are_tried_again(
    tmp_path, server, status, requests
):
    server.plan = [{"status": status}] * 9
    with pytest.raises(
        DataError, match=r"tiny could not be downloaded \(http://127.0.0.1"
    ) as caught:
        fetch("tiny", to=tmp_path / "out")
    assert str(status) in caught.value.message
    assert caught.value.hint == "Get tiny.zip by other means and pass --from ARCHIVE."
    assert len(server.ranges) == requests
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("tiny")
def test_a_passing_http_error_is_overcome(tmp_path, server, waits):
    server.plan = [{"status": 503}]
    assert read_back(fetch("tiny", to=tmp_path / "out")) == FILES
    assert waits == [1.0]


def test_an_unknown_host_is_an_error_and_the_next_address_is_used(
    tmp_path, tiny, monkeypatch, waits
):
    nowhere = "https://nowhere.invalid/tiny.zip"
    change(monkeypatch, tiny, urls=(nowhere,))
    with pytest.raises(DataError, match=f"{nowhere}: .*Name or service not known") as caught:
        fetch("tiny", to=tmp_path / "out")
    assert "pass --from ARCHIVE" in caught.value.hint
    change(monkeypatch, tiny, urls=(nowhere, *tiny.urls))
    assert read_back(fetch("tiny", to=tmp_path / "out")) == FILES
    assert waits == []


def test_a_refused_connection_is_an_error(tmp_path, tiny, monkeypatch, waits):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    change(monkeypatch, tiny, urls=(f"http://127.0.0.1:{port}/tiny.zip",))
    with pytest.raises(DataError, match="refused"):
        fetch("tiny", to=tmp_path / "out")
    assert waits == []


@pytest.mark.parametrize(
    "url", ["http://example.invalid/x.zip", "ftp://example.invalid/x.zip", "file:///etc/passwd"]
)
def test_only_https_is_fetched(tmp_path, tiny, monkeypatch, url):
    change(monkeypatch, tiny, urls=(url,))
    with pytest.raises(DataError, match="it is no https address"):
        fetch("tiny", to=tmp_path / "out")


@pytest.mark.usefixtures("tiny")
def test_a_redirect_is_followed(tmp_path, server):
    server.plan = [{"status": 302, "headers": {"Location": "/elsewhere.zip"}}]
    assert read_back(fetch("tiny", to=tmp_path / "out")) == FILES
    assert len(server.ranges) == 2


@pytest.mark.usefixtures("tiny")
def test_a_redirect_away_from_https_is_refused(tmp_path, server):
    server.plan = [{"status": 302, "headers": {"Location": "http://example.invalid/x.zip"}}]
    with pytest.raises(DataError, match=r"http://example\.invalid/x\.zip is not fetched"):
        fetch("tiny", to=tmp_path / "out")


@pytest.mark.usefixtures("tiny")
def test_a_part_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "out.part").mkdir()
    with pytest.raises(DataError, match=r"out\.part cannot be written"):
        fetch("tiny", to=tmp_path / "out")


# Archives at hand


@pytest.fixture
def at_hand(tmp_path):
    def write(files):
        path = tmp_path / "at_hand.zip"
        path.write_bytes(packed(files))
        return path

    return write


@pytest.mark.usefixtures("tiny")
def test_a_known_archive_at_hand_needs_no_network_and_stays(tmp_path, server, at_hand, caplog):
    archive = at_hand(FILES)
    assert read_back(fetch("tiny", archive=archive, to=tmp_path / "out")) == FILES
    assert archive.read_bytes() == ARCHIVE
    assert server.ranges == []
    assert caplog.text == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["at_hand.zip", "out"]


@pytest.mark.parametrize("top", ["stage1_train/", "data/stage1_train/"])
def test_an_unknown_archive_is_taken_with_a_warning_whatever_folder_it_has_on_top(
    tmp_path, at_hand, caplog, top
):
    archive = at_hand({top + name: content for name, content in FILES.items()})
    fetch("dsb2018", archive=archive, to=tmp_path / "out")
    assert read_back(tmp_path / "out") == FILES
    assert "checksum not known" in caplog.text
    assert "structure verified" in caplog.text


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
    assert [path.name for path in tmp_path.iterdir()] == ["at_hand.zip"]


def test_an_unsafe_archive_is_refused(tmp_path, at_hand):
    with pytest.raises(DataError, match=r"'\.\.' in its path"):
        fetch("dsb2018", archive=at_hand(FILES | {"../evil": b""}), to=tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["at_hand.zip"]


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


# The table


def test_an_unknown_name_is_a_usage_error_with_the_nearest():
    with pytest.raises(
        UsageError, match=r"no data set 'dsb2081'\. Did you mean 'dsb2018'\?"
    ) as caught:
        fetch("dsb2081")
    assert caught.value.hint == "Choose one of: dsb2018."
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_is_complete(name):
    source = find_source(name)
    assert source.name == name
    assert source.urls
    assert all(url.startswith("https://") for url in (*source.urls, source.homepage))
    assert all(re.fullmatch("[0-9a-f]{64}", checksum) for checksum in source.sha256s)
    assert all([source.licence, source.filename, source.layout, *source.sha256s.values()])


def test_the_real_archive_is_known_and_gives_664_images(real_data, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    folder = fetch("dsb2018", archive=real_data / "stage1_train.zip", to=tmp_path / "nuclei")
    images = list(folder.iterdir())
    assert len(images) == 664
    assert sum(len(list((image / "masks").iterdir())) for image in images) == 28_986
    assert "664 images" in caplog.text
    assert not any(record.levelno >= logging.WARNING for record in caplog.records)
