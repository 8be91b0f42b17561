"""What the documentation says is true: its code runs, its links lead somewhere, it is up to date.

Every block of Python, and every command line, of the README and of the pages below docs/ is run, page
by page, in a folder with tiny data. A comment above a block changes that:
``<!-- test: skip REASON -->`` leaves it out, ``<!-- test: needs PATH -->`` puts something there first.
"""

import doctest
import importlib
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from delineate.cli.main import run as run_command
from delineate.data.dataset import Dataset
from delineate.data.synthetic.nuclei import make_nuclei
from delineate.imaging import write_png
from delineate.recipe import Recipe
from delineate.runs import Run

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MODULES = sorted((ROOT / "src" / "delineate").rglob("*.py"))
SMALL = {
    "data.size": [32, 32],
    "data.crops_per_image": 1,
    "model.depth": 1,
    "model.filters": 4,
    "model.convolutions": 1,
    "model.normalisation": "none",
    "training.epochs": 1,
    "training.batch_size": 4,
    "callbacks.pictures": 0,
    "evaluation.report": False,
}
BLOCK = re.compile(r"((?:<!-- test: [^\n]* -->\n)*)```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    marks: tuple[tuple[str, str], ...]

    @property
    def skipped(self):
        return any(kind == "skip" for kind, _ in self.marks)

    @property
    def needs(self):
        return [path for kind, path in self.marks if kind == "needs"]


def blocks_of(text):
    for marks, language, body in BLOCK.findall(text):
        found = re.findall(r"<!-- test: (skip|needs) (.+?) -->", marks)
        assert len(found) == marks.count("<!--"), f"a mark cannot be read: {marks}"
        yield Block(language, body, tuple(found))


def commands_of(text):
    """The commands of a block: the lines, or what stands behind the prompts of a console."""
    lines = text.replace("\\\n", " ").splitlines()
    if any(line.startswith("$ ") for line in lines):
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    return [shlex.split(line, comments=True) for line in lines if line.strip()]


def page_id(path):
    return path.relative_to(ROOT).as_posix()


def load_small(real):
    """Recipe.load as a page sees it: everything is small, except what a run has stored."""

    def load(source):
        recipe = real(source)
        return recipe if Path(source).name == "recipe.toml" else recipe.override(SMALL)

    return load


def make_small(real):
    """delineate.plan as a page sees it: what is not said is small."""

    def plan(dataset, *, settings=None, **options):
        return real(dataset, settings=SMALL | dict(settings or {}), **options)

    return plan


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """What the pages speak of: nuclei/, cells/ and new/."""
    folder = tmp_path_factory.mktemp("docs")
    make_nuclei(folder / "nuclei", train=6, validation=2, test=2, sizes=((64, 64),))
    for number, sample in enumerate(Dataset.open(folder / "nuclei", cache=False)):
        write_png(folder / "cells" / "images" / f"a{number}.png", sample.image)
        write_png(folder / "cells" / "masks" / f"a{number}.png", sample.mask * 255)
    shutil.copytree(folder / "cells" / "images", folder / "new")
    for path in (folder / "new").iterdir():
        path.rename(path.with_name(path.name.replace("a", "b")))
    return folder


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A finished run on nuclei/."""
    from delineate.training.train import train

    recipe = Recipe.load("unet-nuclei").override(SMALL)
    return train(
        Dataset.open(data / "nuclei"), recipe, to=tmp_path_factory.mktemp("runs") / "first"
    )


@pytest.fixture
def place(data, run, tmp_path, monkeypatch):
    """A folder of its own for one page, in which it finds what it speaks of."""
    for name in ("nuclei", "cells", "new"):
        shutil.copytree(data / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Recipe, "load", load_small(Recipe.load))
    # Loads the module, which delineate's own `plan` would hide.
    planning = importlib.import_module("delineate.planning.plan")
    monkeypatch.setattr(planning, "plan", make_small(planning.plan))

    def put(name):
        sources = {
            "runs/first": run.folder,
            "delineate-demo/nuclei": data / "nuclei",
            "examples/recipes/own.toml": ROOT / "examples" / "recipes" / "own.toml",
        }
        copy = shutil.copytree if sources[name].is_dir() else shutil.copy
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        copy(sources[name], tmp_path / name)

    return put


def run_bash(block):
    for command in commands_of(block.text):
        assert command[0].endswith("delineate"), f"only delineate can be run here, not {command}"
        assert run_command(command[1:]) == 0, f"failed: {shlex.join(command)}"


def with_code(pages):
    kinds = ("bash", "console", "python")
    found = {page: list(blocks_of(page.read_text())) for page in pages}
    return [
        page
        for page, blocks in found.items()
        if any(block.language in kinds and not block.skipped for block in blocks)
    ]


@pytest.mark.parametrize("page", with_code(PAGES), ids=page_id)
def test_the_code_of_a_page_runs(page, place):
    names = {}
    for block in blocks_of(page.read_text()):
        if block.skipped:
            continue
        for path in block.needs:
            place(path)
        if block.language == "python":
            exec(compile(block.text, page_id(page), "exec"), names)  # noqa: S102 - our own pages
        elif block.language in ("bash", "console"):
            run_bash(block)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_and_pictures_of_a_page_are_there(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    local = [link for link in LINK.findall(text) if not re.match(r"\w+:", link)]
    missing = [link for link in local if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_the_tests_that_a_page_names_are_there(page):
    named = re.findall(r"`(tests/[\w/]+(?:\.py)?)`", page.read_text())
    assert not [path for path in named if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_a_block_of_code_says_its_language_and_can_be_run(page):
    fences = re.findall(r"^```(\w*)$", page.read_text(), re.MULTILINE)
    assert set(fences[::2]) <= {"bash", "console", "python", "pycon", "text", "toml"}
    assert len(list(blocks_of(page.read_text()))) == len(fences[::2])


def test_every_page_can_be_reached_from_the_readme():
    seen, waiting = set(), [ROOT / "README.md", ROOT / "docs" / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        links = [link for link in LINK.findall(page.read_text()) if not re.match(r"\w+:", link)]
        waiting += [(page.parent / link).resolve() for link in links]
    assert set(PAGES) <= seen


def test_the_generated_pages_are_up_to_date():
    checked = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_a_stale_page_is_named_and_fails(tmp_path, monkeypatch, capsys):
    generate = load_generator()
    monkeypatch.setattr(generate, "REFERENCE", tmp_path)
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (tmp_path / "rules.md").write_text("old")
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().err == "docs/reference/rules.md is stale: run scripts/docs\n"


def test_every_setting_public_name_and_rule_is_in_the_reference():
    import delineate
    from delineate.catalog import RULES

    reference = {path.name: path.read_text() for path in (ROOT / "docs" / "reference").glob("*.md")}
    settings = [key for _, values in Recipe() for key in type(values).model_fields]
    assert all(f"| `{key}` |" in reference["recipe.md"] for key in settings)
    assert all(f"## {name}\n" in reference["python.md"] for name in delineate.__all__)
    assert all(f"## {code}: " in reference["rules.md"] for code in RULES)


@pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: path.relative_to(ROOT / "src").as_posix()
)
def test_the_examples_in_docstrings_run(path):
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
    assert doctest.testmod(module).failed == 0


def test_the_check_of_a_page_finds_what_is_wrong(place, capsys):
    good = (
        "<!-- test: skip no reason -->\n```bash\nls\n```\n\n```bash\ndelineate show recipes\n```\n"
    )
    skipped, block = blocks_of(good)
    assert skipped.skipped
    run_bash(block)
    assert "unet-nuclei" in capsys.readouterr().out
    with pytest.raises(AssertionError, match="failed: delineate check nowhere"):
        run_bash(next(blocks_of("```bash\ndelineate check nowhere\n```\n")))
    with pytest.raises(AssertionError, match="only delineate"):
        run_bash(next(blocks_of("```bash\nls\n```\n")))


def test_the_run_that_pages_start_from_is_whole(run):
    assert Run.open(run.folder).rows


def load_generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
