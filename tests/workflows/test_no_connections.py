"""No command connects to anybody unasked. Each of them: tests/campaigns/connections.py."""

import subprocess

from tests.campaigns.commands import QUICK, make_data
from tests.campaigns.connections import TRIED, listened


def test_the_way_from_a_folder_to_masks_reaches_for_nobody(tmp_path):
    data, run = make_data(tmp_path / "data"), tmp_path / "run"
    image = min(data.rglob("*.png"))
    done = subprocess.run(
        listened(
            [
                ["check", data],
                ["train", data, "--to", run, *QUICK],
                ["evaluate", run, data],
                ["predict", run, image, "--to", tmp_path / "predicted"],
            ]
        ),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert TRIED not in done.stderr
    assert list((tmp_path / "predicted").glob("*.png"))


def test_what_tries_to_connect_is_heard(tmp_path):
    command = listened([])
    command = [*command[:2], command[2].replace("from delineate", PROBE), *command[3:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert TRIED in done.stderr


PROBE = """import socket
try:
    socket.create_connection(("127.0.0.1", 9), timeout=1)
except OSError:
    pass
from delineate"""
