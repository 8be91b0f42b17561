"""A server on loopback that can be told to fail, and archives to serve."""

import http.server
import io
import re
import socket
import tarfile
import threading
import zipfile
from contextlib import contextmanager


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def tarred(files, mode="w:gz"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def read_back(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves ``server.files`` by path, or else ``server.content``.

    Each request takes the next of ``server.plan`` and is noted in ``server.ranges`` and ``asked``.
    """

    def do_GET(self):
        server = self.server
        server.ranges.append(self.headers["Range"])
        server.asked.append(self.path)
        step = server.plan.pop(0) if server.plan else {}
        content = server.files.get(self.path, server.content)
        start = self.start(step)
        total = len(content)
        if "status" in step:
            return self.answer(step["status"], step.get("headers", {}), b"")
        if start is None:
            return self.answer(200, {}, content, step)
        if start >= total:
            return self.answer(416, {"Content-Range": f"bytes */{total}"}, b"")
        shown = start + step.get("shift", 0)
        headers = {"Content-Range": f"bytes {shown}-{total - 1}/{total}"}
        return self.answer(206, headers, content[start:], step)

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


@contextmanager
def serving(content=b""):
    """Yield a server that runs; ``address`` is where it is."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.content, server.files, server.plan = content, {}, []
        server.ranges, server.asked = [], []
        server.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def know_only_loopback(monkeypatch):
    """Make every host but this one unknown, and let no proxy stand between."""
    resolve = socket.getaddrinfo

    def guarded(host, *arguments, **options):
        if host not in ("127.0.0.1", "localhost"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", guarded)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
