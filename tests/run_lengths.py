"""Tables of run lengths for tests."""

from delineate.prediction.run_length_file import run_length_file


def write_run_lengths(path, named):
    """Write the objects of images, (name, instances) each, into one table."""
    with run_length_file(path) as add:
        for name, instances in named:
            add(name, instances)
