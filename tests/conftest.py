"""Options and data that all tests share."""

import gc
import os
import tempfile
from pathlib import Path

import pytest

# Before any test module imports Keras.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Networks are made of many small objects that live on: to look through them as often as usual takes
# a twentieth of the time.
gc.set_threshold(10_000, 10, 10)
if "PYTEST_XDIST_WORKER" in os.environ:
    # As many workers as cores: PyTorch's threads would wait for each other, a quarter of the time.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# JAX compiles each small network for seconds: once is enough for all tests.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(tempfile.gettempdir()) / "jax-tests"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

ALL_FAMILIES = "DELINEATE_TEST_ALL_FAMILIES"
DEFAULT_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_addoption(parser):
    parser.addoption(
        "--real-data",
        metavar="FOLDER",
        default=None,
        help="folder with real data sets; default: ../shared/data beside the checkout",
    )
    parser.addoption(
        "--all-families",
        action="store_true",
        help="on JAX and PyTorch, too, each family of encoders at its whole depth: many minutes",
    )


def pytest_configure(config):
    # Which families there are is asked while the test modules are imported.
    if config.getoption("--all-families"):
        os.environ[ALL_FAMILIES] = "1"


@pytest.fixture(scope="session")
def real_data(request):
    """The folder with real data; the test is skipped where there is none."""
    given = request.config.getoption("--real-data")
    folder = Path(given) if given else DEFAULT_DATA
    if not folder.is_dir():
        pytest.skip(f"needs real data: pass --real-data FOLDER (there is no {folder})")
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory):
    """What tests save is known as made here, with a key that is not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Each test has a cache of its own, so that none depends on another."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
