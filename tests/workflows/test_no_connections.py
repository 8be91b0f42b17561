"""No command connects to anybody unasked. Each of them: tests/campaigns/connections.py."""

import subprocess

from tests.campaigns.commands import make_data
from tests.campaigns.connections import TRIED, commands_of, listened

# From an archive to masks.
WAY = ("fetch", "check", "train", "evaluate", "predict")


def test_the_way_from_an_archive_to_masks_reaches_for_nobody(tmp_path):
    to = tmp_path / "to"
    # What `train` of these writes is the run of all others.
    commands = commands_of(make_data(tmp_path / "data"), to / "run", to)
    command = listened([commands[name] for name in WAY])
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert TRIED not in done.stderr
    assert list((to / "predicted").glob("*.png"))
    assert len(list((to / "fetched").glob("*/images/*.png"))) == 8


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
