"""Links and paths that lead out of a data set are refused, unless they are asked for."""

import numpy as np
import pytest

from delineate.data.dataset import Dataset
from delineate.errors import DataError
from delineate.imaging import write_png


def fill(folder, count=3):
    for number in range(count):
        write_png(folder / "images" / f"{number}.png", np.full((8, 8, 3), number, np.uint8))
        write_png(folder / "masks" / f"{number}.png", np.eye(8, dtype=np.uint8))
    return folder


@pytest.fixture
def secret(tmp_path):
    """A picture that lies outside of all data sets."""
    write_png(tmp_path / "home" / "secret.png", np.full((8, 8, 3), 9, np.uint8))
    return tmp_path / "home" / "secret.png"


@pytest.fixture
def data(tmp_path):
    return fill(tmp_path / "data")


def refused(folder, *words):
    with pytest.raises(DataError, match="leads by a link to") as caught:
        Dataset.open(folder, cache=False)
    assert all(str(word) in caught.value.message for word in words)
    assert "data.links=follow" in caught.value.hint
    assert "--follow-links" in caught.value.hint


@pytest.mark.parametrize("part", ["images", "masks"])
def test_a_file_that_is_a_link_to_one_outside_is_refused_by_its_name_and_target(data, secret, part):
    path = data / part / "1.png"
    path.unlink()
    path.symlink_to(secret)
    refused(data, path, secret, f"the data set {data}")


def test_a_folder_that_is_a_link_to_one_outside_is_refused(tmp_path, data):
    (data / "masks").rename(tmp_path / "elsewhere")
    (data / "masks").symlink_to(tmp_path / "elsewhere")
    refused(data, data / "masks" / "0.png", tmp_path / "elsewhere" / "0.png")


def test_what_leads_out_is_followed_where_it_is_asked_for(data, secret):
    (data / "images" / "1.png").unlink()
    (data / "images" / "1.png").symlink_to(secret)
    dataset = Dataset.open(data, cache=False, links="follow")
    assert (dataset[1].image == 9).all()


def test_a_file_without_a_partner_is_shown_by_the_check_and_refused_as_well(data, secret):
    (data / "images" / "lonely.png").symlink_to(secret)
    refused(data, data / "images" / "lonely.png")


def test_a_link_over_links_is_followed_to_its_end(tmp_path, data, secret):
    (data / "far.txt").symlink_to(tmp_path / "home")
    (data / "images" / "1.png").unlink()
    (data / "images" / "1.png").symlink_to(data / "far.txt" / "secret.png")
    refused(data, secret)


def test_links_that_stay_within_the_data_set_are_no_matter(data):
    (data / "images" / "1.png").unlink()
    (data / "images" / "1.png").symlink_to("0.png")
    (data / "masks" / "2.png").unlink()
    (data / "masks" / "2.png").symlink_to(data / "masks" / "0.png")
    dataset = Dataset.open(data, cache=False)
    assert (dataset[1].image == 0).all()


def test_a_data_set_that_is_a_link_itself_is_opened(tmp_path, data, monkeypatch):
    (tmp_path / "shortcut").symlink_to(data)
    assert len(Dataset.open(tmp_path / "shortcut", cache=False)) == 3
    (data / "images" / "1.png").unlink()
    (data / "images" / "1.png").symlink_to(data / "images" / "0.png")
    assert len(Dataset.open(tmp_path / "shortcut", cache=False)) == 3
    monkeypatch.chdir(data)
    assert len(Dataset.open(".", cache=False)) == 3


def test_a_link_that_leads_round_in_a_circle_is_no_way_out(data):
    (data / "images" / "1.png").unlink()
    (data / "images" / "1.png").symlink_to("1.png")
    dataset = Dataset.open(data, cache=False)
    with pytest.raises(DataError, match=r"1\.png"):
        dataset[1]


@pytest.mark.parametrize("absolute", [False, True])
def test_a_path_by_which_a_table_leads_out_is_refused_unless_it_is_asked_for(
    data, secret, absolute
):
    said = secret if absolute else "../home/secret.png"
    (data / "pairs.csv").write_text(f"image,mask\n{said},masks/0.png\n")
    with pytest.raises(DataError, match=r"secret\.png lies at .*, by a table, outside") as caught:
        Dataset.open(data, cache=False, layout="csv")
    assert "data.links=follow" in caught.value.hint
    dataset = Dataset.open(data, cache=False, layout="csv", links="follow")
    assert (dataset[0].image == 9).all()


def test_a_path_of_a_table_that_leads_back_into_the_data_set_is_no_matter(data):
    rows = f"{data / 'images' / '1.png'},masks/0.png\n../data/images/2.png,masks/1.png\n"
    (data / "pairs.csv").write_text(f"image,mask\n{rows}")
    dataset = Dataset.open(data, cache=False, layout="csv")
    assert [int(dataset[number].image[0, 0, 0]) for number in range(2)] == [1, 2]


def test_the_table_of_run_lengths_may_be_no_way_out_either(tmp_path):
    write_png(tmp_path / "data" / "a.png", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "table.csv").write_text("ImageId,EncodedPixels\na,1 3\n")
    (tmp_path / "data" / "table.csv").symlink_to(tmp_path / "table.csv")
    refused(tmp_path / "data", tmp_path / "table.csv")
