"""One file, against a server on loopback that fails in every way that a server can."""

import socket
import time

import pytest
from tests.loopback import know_only_loopback, serving

from delineate.data.fetching.download import download
from delineate.errors import DataError

CONTENT = bytes(range(256)) * 8
REMEDY = "Get it by other means."


@pytest.fixture
def server():
    with serving(CONTENT) as running:
        yield running


@pytest.fixture
def get(server, tmp_path):
    """Downloads the file and returns what it holds then."""

    def run(*urls, progress=None):
        part = tmp_path / "new" / "file.part"
        urls = urls or (f"{server.address}/file",)
        download(urls, part, name="nuclei", remedy=REMEDY, progress=progress)
        return part.read_bytes()

    run.part = tmp_path / "new" / "file.part"
    run.part.parent.mkdir()
    return run


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """No waiting; the waits that were asked for."""
    asked = []
    monkeypatch.setattr(time, "sleep", asked.append)
    return asked


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch):
    know_only_loopback(monkeypatch)


# What arrives


def test_the_file_arrives_whole_in_a_folder_that_is_made(get, server):
    calls = []
    get.part.parent.rmdir()
    assert get(progress=lambda *call: calls.append(call)) == CONTENT
    assert server.ranges == [None]
    assert calls[-1] == (len(CONTENT), len(CONTENT))


def test_a_proxy_is_not_asked_for_loopback(get, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    assert get() == CONTENT


def test_a_file_without_a_length_is_taken_and_its_size_is_told_as_unknown(get, server):
    server.plan = [{"unsized": True}]
    calls = []
    assert get(progress=lambda *call: calls.append(call)) == CONTENT
    assert calls[-1] == (len(CONTENT), 0)


def test_a_cut_connection_is_continued_where_it_ended(get, server, waits):
    server.plan = [{"cut": 100}, {"cut": 50}]
    calls = []
    assert get(progress=lambda *call: calls.append(call)) == CONTENT
    assert server.ranges == [None, "bytes=100-", "bytes=150-"]
    assert waits == [1.0, 4.0]
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert {whole for _, whole in calls} == {len(CONTENT)}


def test_a_server_that_cannot_continue_starts_anew(get, server):
    server.plan = [{"cut": 100}, {"ranges": False}]
    assert get() == CONTENT
    assert server.ranges == [None, "bytes=100-"]


def test_a_server_that_continues_elsewhere_is_asked_anew(get, server):
    server.plan = [{"cut": 100}, {"shift": 1}]
    assert get() == CONTENT
    assert server.ranges == [None, "bytes=100-", None]


def test_a_part_survives_a_failure_and_the_next_call_continues_it(get, server, waits):
    server.plan = [{"cut": 10}] * 4
    with pytest.raises(DataError, match=f"ended after 40 of {len(CONTENT)} bytes") as caught:
        get()
    assert caught.value.hint == REMEDY
    assert waits == [1.0, 4.0, 15.0]
    assert get() == CONTENT
    assert server.ranges[-1] == "bytes=40-"


def test_a_complete_part_is_used_as_it_is(get, server):
    get.part.write_bytes(CONTENT)
    assert get() == CONTENT
    assert server.ranges == [f"bytes={len(CONTENT)}-"]


def test_a_part_longer_than_the_file_is_thrown_away(get, server):
    get.part.write_bytes(CONTENT + b"more")
    assert get() == CONTENT
    assert server.ranges == [f"bytes={len(CONTENT) + 4}-", None]


def test_a_redirect_is_followed(get, server):
    server.plan = [{"status": 302, "headers": {"Location": "/elsewhere"}}]
    assert get() == CONTENT
    assert server.asked == ["/file", "/elsewhere"]


# What does not


@pytest.mark.parametrize(("status", "requests"), [(404, 1), (403, 1), (503, 4)])
def test_http_errors_name_the_address_and_only_passing_ones_are_tried_again(
    get, server, status, requests
):
    server.plan = [{"status": status}] * 9
    with pytest.raises(DataError, match=rf"{server.address}/file: .*{status}") as caught:
        get()
    assert caught.value.message.startswith("nuclei could not be downloaded (")
    assert caught.value.hint == REMEDY
    assert len(server.ranges) == requests
    assert not get.part.exists()


def test_a_passing_http_error_is_overcome(get, server, waits):
    server.plan = [{"status": 503}]
    assert get() == CONTENT
    assert waits == [1.0]


def test_an_unknown_host_is_an_error_and_the_next_address_is_used(get, server, waits):
    nowhere = "https://nowhere.invalid/file"
    with pytest.raises(DataError, match=f"{nowhere}: .*Name or service not known"):
        get(nowhere)
    assert get(nowhere, f"{server.address}/file") == CONTENT
    assert waits == []


def test_a_refused_connection_is_an_error(get, waits):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(DataError, match="refused"):
        get(f"http://127.0.0.1:{port}/file")
    assert waits == []


@pytest.mark.parametrize(
    "url", ["http://example.invalid/x.zip", "ftp://example.invalid/x.zip", "file:///etc/passwd"]
)
def test_only_https_is_fetched(get, url, waits):
    with pytest.raises(DataError, match=f"{url} is not fetched: it is no https address"):
        get(url)
    assert waits == []
    assert not get.part.exists()


def test_a_redirect_away_from_https_is_refused_and_the_next_address_is_used(get, server):
    away = {"status": 302, "headers": {"Location": "http://example.invalid/x.zip"}}
    server.plan = [away]
    with pytest.raises(DataError, match=r"http://example\.invalid/x\.zip is not fetched"):
        get()
    server.plan = [away]
    assert get(f"{server.address}/first", f"{server.address}/second") == CONTENT
    assert server.asked == ["/file", "/first", "/second"]


def test_a_part_that_cannot_be_written_is_an_error(get):
    get.part.mkdir()
    with pytest.raises(DataError, match=r"file\.part cannot be written"):
        get()
