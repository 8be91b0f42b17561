"""Archives of data sets, as a download may bring them."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.campaigns.probes.making import Probe

NAME = "archive"


def _zip(*members: tuple[str, bytes], mode: int = 0) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        with zipfile.ZipFile(folder / NAME, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members:
                info = zipfile.ZipInfo(name)
                info.external_attr = mode << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, content)

    return make


def _tar(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        with tarfile.open(folder / NAME, "w:gz") as archive:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info, io.BytesIO())

    return make


def _promises(folder: Path) -> None:
    with tarfile.open(folder / NAME, "w:gz") as archive:
        info = tarfile.TarInfo("large")
        info.size = 10**15
        archive.addfile(info)


_MEMBER = ("image.png", b"content")
PROBES = {
    "a zip with a file above": Probe(_zip(("../code.py", b"")), "'..' in its path"),
    "a zip with an absolute name": Probe(_zip(("/tmp/code.py", b"")), "an absolute path"),
    "a zip with a backslash": Probe(_zip(("..\\code.py", b"")), "a backslash"),
    "a zip with a link": Probe(_zip(("link", b"/etc/passwd"), mode=0o120777), "a link or a device"),
    "a zip with a name twice, case aside": Probe(_zip(_MEMBER, ("IMAGE.PNG", b"")), "twice"),
    "a zip that grows": Probe(_zip(("zeros", bytes(150 * 2**20))), "times its size"),
    "a tar with a file above": Probe(_tar("../code.py"), "'..' in its path"),
    "a tar with a symbolic link": Probe(_tar("link", tarfile.SYMTYPE, "/etc"), "link or a device"),
    "a tar with a hard link": Probe(_tar("link", tarfile.LNKTYPE, "/etc/passwd"), "link or a"),
    "a tar with a device": Probe(_tar("zero", tarfile.CHRTYPE), "link or a device"),
    "a tar that promises 1 PB": Probe(_promises, "more than"),
}
