"""Faster R-CNN as torchvision has it: really built and run, with random and with given weights; nothing downloaded."""

import importlib.util

import numpy as np
import pytest
from safetensors.torch import save_file

from extractor.errors import ConfigError
from extractor.images import Raster
from extractor.records import Box
from extractor.regions.fasterrcnn import Config, Detector

without_extra = pytest.mark.skipif(
    importlib.util.find_spec("torchvision") is None, reason="torchvision is an extra: pip install facetmill[regions]"
)
pytestmark = pytest.mark.slow  # building the network takes seconds, its extra half a minute on a busy machine

NOISE = Raster(np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8), "hash")


@pytest.fixture(scope="module")
def detector():
    return Detector(Config(short_side=96, regions=6))


@without_extra
def test_regions_and_words_have_fc6_vectors(detector):
    features = detector.detect(NOISE, [Box(0.1, 0.1, 0.5, 0.3), Box(0.5, 0.5, 0.5, 0.5)])

    assert 0 < len(features.boxes) == len(features.regions) <= 6
    assert features.regions.shape[1] == features.token_vectors.shape[1] == detector.dim == 1024
    assert len(features.token_vectors) == 2
    assert features.regions.dtype == np.float16
    assert features.regions.min() == 0  # after the ReLU
    assert (features.boxes.min(), features.boxes.max()) >= (0, 0)
    assert features.boxes.max() <= 1


@without_extra
def test_a_word_where_a_region_is_has_the_regions_vector(detector):
    found = detector.detect(NOISE, [])

    again = detector.detect(NOISE, [Box(*map(float, box)) for box in found.boxes])

    assert again.token_vectors == pytest.approx(found.regions, rel=0.05, abs=0.5)
    assert found.token_vectors.shape == (0, 1024)


@without_extra
@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1)])
def test_any_shape_of_picture_gives_finite_features(detector, shape):
    features = detector.detect(Raster(np.zeros((*shape, 3), np.uint8), "hash"), [Box(0, 0, 1, 1)])

    assert np.isfinite(features.regions).all()
    assert features.token_vectors.shape == (1, 1024)


@without_extra
def test_given_weights_are_used_and_named_in_the_schema(detector, tmp_path):
    path = str(tmp_path / "weights.safetensors")
    save_file(detector._network.state_dict(), path)

    same = Detector(Config(short_side=96, regions=6, weights=path, seed=9))
    other = Detector(Config(short_side=96, regions=6, seed=9))

    assert same.detect(NOISE, []).regions.tobytes() == detector.detect(NOISE, []).regions.tobytes()
    assert other.detect(NOISE, []).regions.tobytes() != detector.detect(NOISE, []).regions.tobytes()
    assert len({same.schema, other.schema, detector.schema}) == 3


@without_extra
def test_weights_of_another_network_are_refused_by_name(detector, tmp_path):
    path = str(tmp_path / "weights.safetensors")
    state = detector._network.state_dict()
    state.pop("backbone.body.conv1.weight")
    save_file(state, path)

    with pytest.raises(ConfigError, match=r"backbone\.body\.conv1\.weight"):
        Detector(Config(weights=path))


def test_missing_weights_are_named():
    with pytest.raises(ConfigError, match=r"'nowhere\.pth', expected an existing"):
        _ = Config(weights="nowhere.pth").schema
