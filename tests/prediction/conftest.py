"""Bundles that predict by brightness, made once."""

import pytest

from tests.bundles import pointwise_model, save_bundle


@pytest.fixture(scope="session")
def grey_bundle(tmp_path_factory):
    """A bundle of two classes for grey images: foreground is brighter than one half."""
    return save_bundle(tmp_path_factory.mktemp("bundles") / "grey", pointwise_model([0.5]))


@pytest.fixture(scope="session")
def colour_bundle(tmp_path_factory):
    """A bundle of three classes for RGB images: dark, medium and bright."""
    model = pointwise_model([0.3, 0.7], channels=3)
    return save_bundle(tmp_path_factory.mktemp("bundles") / "colour", model)
