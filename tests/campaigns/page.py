"""Write docs/reliability.md from what the campaigns have found.

Usage: python -m tests.campaigns.page [--so-far]
Where a figure is not reached, it says so and writes nothing; with ``--so-far`` it writes what there
is, of other code than this too, and what is missing yet. Rows of a tree with changes never count.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.campaigns import figures, tables
from tests.campaigns.accidents import MISHAPS
from tests.campaigns.figures import Figure
from tests.campaigns.mutations import KINDS
from tests.campaigns.record import Row, cases_of, is_committed, read, stands
from tests.campaigns.resume_matrix import MODES, MOMENTS

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
HEAD = """# What delineate withstands

Long campaigns, run by hand; each has a short form in the ordinary tests. Every table is written by
`python -m tests.campaigns.page` from the rows in `tests/campaigns/rows`; below it stands of which commits,
and where they were made.
"""
SO_FAR = "--so-far"


@dataclass(frozen=True)
class Campaign:
    """A section of the page.

    Attributes:
        title: Its heading.
        command: What makes the rows.
        text: What is done, and what has to come of it.
        table: Makes its table.
        figures: What the rows have to reach.
    """

    title: str
    command: str
    text: str
    table: Callable[[list[Row]], str]
    figures: tuple[Figure, ...]


def main() -> None:
    so_far = SO_FAR in sys.argv[1:]
    missing = {
        name: list(missing_of(name, campaign, so_far=so_far))
        for name, campaign in CAMPAIGNS.items()
    }
    told = [f"{CAMPAIGNS[name].title}: {each}." for name in missing for each in missing[name]]
    if told and not so_far:
        raise SystemExit("\n".join([*told, f"Nothing is written; {SO_FAR} writes what there is."]))
    parts = [_section(name, campaign, missing[name]) for name, campaign in CAMPAIGNS.items()]
    PAGE.write_text("\n".join([HEAD, *parts]), encoding="utf-8")


def missing_of(name: str, campaign: Campaign, *, so_far: bool = False) -> Iterator[str]:
    """Yield what keeps a campaign from being whole: nothing, where it is.

    Args:
        name: Of its rows.
        campaign: What they have to reach.
        so_far: Whether rows of other code than this count, too.
    """
    known = read(name)
    rows = [row for row in known if (is_committed if so_far else stands)(row)]
    if known and len(rows) < len(known):
        other = next(row["case"] for row in known if row not in rows)
        of = "a tree with changes" if so_far else "other code than this, or a tree with changes"
        yield f"{len(known) - len(rows)} of {of}, such as {other}"
    if not rows:
        yield "nothing is there yet"
        return
    left = set(cases_of(name)) - {row["case"] for row in known}
    if left:
        yield f"{len(left)} still to be tried, such as {min(left)}"
    bad = [row["case"] for row in rows if row.get("right") is False]
    if bad:
        yield f"{len(bad)} not as they should be, such as {bad[0]}"
    for figure in campaign.figures:
        yield from figure(rows)


def _section(name: str, campaign: Campaign, missing: list[str]) -> str:
    rows = [row for row in read(name) if is_committed(row)]
    parts = [f"## {campaign.title}", campaign.text]
    if rows:
        command = f"python -m tests.campaigns.{campaign.command}"
        parts += [campaign.table(rows), f"`{command}`, at {_origins(rows)}."]
    if missing:
        parts.append(f"Missing yet: {'; '.join(missing)}.")
    return "\n\n".join(parts) + "\n"


def _origins(rows: list[Row]) -> str:
    """Return of which commits rows are, and where they were made, each place once."""
    commits: dict[str, list[str]] = {}
    for row in rows:
        own = commits.setdefault(_place(row), [])
        if row["commit"] not in own:
            own.append(row["commit"])
    return "; at ".join(f"commit {' and '.join(own)}, {place}" for place, own in commits.items())


def _place(row: Row) -> str:
    about = row["circumstances"]
    if about is None:
        return "on a machine that is not known"
    versions = [f"{name} {version}" for name, version in about["versions"].items()]
    said = [f"Python {about['python']}", f"{about['cores']} cores", about["platform"], *versions]
    return ", ".join(said)


BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
KILLED = {"tensorflow": 100, "jax": 30, "torch": 30}


def _killed(backend: str, count: int) -> tuple[Figure, ...]:
    """Return what kills on a backend have to reach, so many of them at random moments."""
    moments, of = f"random moments on {BACKENDS[backend]}", f"{backend}: moment "
    return (
        figures.right(count, moments, of=of),
        figures.stood(count // 10, "a step", moments, of=of),
        figures.stood(count // 10, "an epoch", moments, of=of),
    )


CAMPAIGNS = {
    "kills": Campaign(
        "Killed",
        "kills FOLDER",
        "`delineate train` is ended with `kill -9`, and resumed to its end. It has to go on from the "
        "last save or the one before, as seen by who watched the files get their names; to come to "
        "the weights, scores and best model of the uninterrupted training, bit for bit; and to have "
        "a best bundle that opens at any time.",
        tables.kills,
        (
            *(figure for backend, count in KILLED.items() for figure in _killed(backend, count)),
            figures.right(1, "changes of a file", of="tensorflow: change "),
        ),
    ),
    "resume-matrix": Campaign(
        "Every way to train",
        "resume_matrix FOLDER",
        "Cut short in the middle of an epoch and at its end (before the validation), then resumed in "
        "another process: weights, scores, decisions and best model equal to those of the "
        "uninterrupted training.",
        tables.matrix,
        tuple(
            figures.right(len(MODES) * len(MOMENTS), f"resumptions on {name}", of=f"{backend}: ")
            for backend, name in BACKENDS.items()
        ),
    ),
    "full-disk": Campaign(
        "Full disks",
        "full_disk FOLDER",
        "Every second change of a file, and all that come after it, is refused as by a full disk; "
        "no file may grow beyond some size; and trainings go into small file systems. Then there is room again, and they are resumed.",
        tables.disks,
        (figures.right(50, "full disks"),),
    ),
    "mishaps": Campaign(
        "Mishaps",
        "mishaps FOLDER",
        "At random moments of a training, which is then resumed. What befalls it has to be told with "
        "what people need: the batch, the image, the size to try, the other process. Where a recipe "
        "lets it go on by itself, that is told, too.",
        tables.mishaps,
        tuple(figures.right(20, f"times '{name}'", of=f"{name} ") for name in MISHAPS),
    ),
    "long-run": Campaign(
        "A long run",
        "long_run FOLDER",
        "An hour of training, scoring and predicting in one process, round after round.",
        tables.long_run,
        (figures.minutes(60),),
    ),
    "connections": Campaign(
        "Connections",
        "connections FOLDER",
        "What each command tries to reach, heard by Python's audit events, and by strace where it "
        "is installed, which hears native libraries, too.",
        tables.connections,
        (figures.right(10, "commands"),),
    ),
    "odd-images": Campaign(
        "Odd files",
        "odd_images FOLDER ODD",
        "Each of 164 odd and broken files as an image and as a mask of a small data set: what each "
        "command says of it, and what it costs beyond what sound files do.",
        tables.odd_images,
        (figures.right(2 * 164, "odd files in data sets"),),
    ),
    "mutated-images": Campaign(
        "Damaged pictures",
        "mutated_images FOLDER",
        "Sound files of every make in which bits are turned, parts cut out, put in and exchanged, "
        "and numbers set to extremes; read as image, as mask, in parts and by their headers.",
        tables.mutated_images,
        (figures.inputs(100_000, KINDS),),
    ),
    "properties": Campaign(
        "Properties",
        "properties",
        "What has to hold for any input, tried on inputs that hypothesis makes.",
        tables.properties,
        (figures.examples(1000, properties=40),),
    ),
    "hostile-bundles": Campaign(
        "Models from strangers",
        "hostile_bundles FOLDER",
        "Bundles and archives that want to run code, write elsewhere, fill the memory or never end; "
        "and good bundles of which a byte is another. Each has to be refused for its reason in at "
        "most 10 s and 2 GB, or to do nothing but predict.",
        tables.hostile_bundles,
        (figures.probes(40), figures.flips(10_000)),
    ),
    "dependencies": Campaign(
        "Dependencies",
        "dependencies FOLDER",
        "The tests with the lowest allowed and with the newest versions, on each backend, and what "
        "is publicly known of their faults.",
        tables.dependencies,
        tuple(
            figures.right(1, f"suites, {which} on {name}", of=f"{which}, {backend}: suite")
            for which in ("lowest", "newest")
            for backend, name in BACKENDS.items()
        ),
    ),
}

if __name__ == "__main__":
    main()
