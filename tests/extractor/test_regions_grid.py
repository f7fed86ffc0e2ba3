"""Grid features: regions and words see their own part of the picture, in half precision, the same every time."""

import numpy as np
import pytest

from extractor.images import Raster
from extractor.records import Box
from extractor.regions.grid import BOXES, Config, Detector, covered


@pytest.fixture(scope="module")
def detector():
    return Detector(Config())


def noise(height: int = 224, width: int = 224) -> Raster:
    rng = np.random.default_rng(0)
    return Raster(rng.integers(0, 255, (height, width, 3), np.uint8), "hash")


def test_a_picture_has_ten_regions_of_1280_half_floats(detector):
    features = detector.detect(noise(), [Box(0.1, 0.1, 0.4, 0.2)] * 3)

    assert (features.boxes.shape, features.boxes.dtype) == ((10, 4), np.float32)
    assert (features.regions.shape, features.regions.dtype) == ((10, 1280), np.float16)
    assert (features.token_vectors.shape, features.token_vectors.dtype) == ((3, 1280), np.float16)
    assert detector.dim == 1280
    assert detector.schema == "efficientnet-lite0/7x7/whole+3x3/1280/f2"


def test_the_regions_are_the_whole_and_nine_overlapping_windows():
    assert BOXES[0].tolist() == [0, 0, 1, 1]
    assert BOXES[1] == pytest.approx([0, 0, 3 / 7, 3 / 7])
    assert BOXES[5] == pytest.approx([2 / 7, 2 / 7, 5 / 7, 5 / 7])
    assert BOXES[9] == pytest.approx([4 / 7, 4 / 7, 1, 1])
    assert BOXES[2] == pytest.approx([2 / 7, 0, 5 / 7, 3 / 7])  # to the right of the first


def test_a_word_that_covers_a_region_has_the_regions_vector(detector):
    features = detector.detect(noise(), [Box(*map(float, box)) for box in BOXES])

    assert features.token_vectors == pytest.approx(features.regions, abs=2e-2)
    assert not np.allclose(features.regions[1], features.regions[9], atol=2e-2)


def test_a_region_sees_what_is_under_it(detector):
    rgb = np.full((224, 224, 3), 128, np.uint8)
    rgb[:60, :60] = noise(60, 60).rgb

    plain = detector.detect(Raster(np.full((224, 224, 3), 128, np.uint8), "hash"), [])
    marked = detector.detect(Raster(rgb, "hash"), [])

    change = np.abs(marked.regions - plain.regions).mean(axis=1)
    assert change[1] == max(change[1:])  # the upper left window
    assert change[9] < change[1] / 3  # the lower right one


def test_a_picture_without_words_has_no_word_vectors(detector):
    assert detector.detect(noise(), []).token_vectors.shape == (0, 1280)


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 3)])
def test_any_shape_of_picture_gives_finite_features(detector, shape):
    features = detector.detect(noise(*shape), [Box(0, 0, 0, 0), Box(1, 1, 1, 1)])

    assert np.isfinite(features.regions).all()
    assert np.isfinite(features.token_vectors).all()


def test_the_same_picture_gives_the_same_bytes_whatever_was_seen_before(detector):
    first = detector.detect(noise(), [Box(0.1, 0.1, 0.4, 0.2)])
    detector.detect(noise(64, 300), [])

    again = detector.detect(noise(), [Box(0.5, 0.5, 0.6, 0.6), Box(0.1, 0.1, 0.4, 0.2)])

    assert again.regions.tobytes() == first.regions.tobytes()
    assert again.token_vectors[1].tobytes() == first.token_vectors[0].tobytes()


@pytest.mark.parametrize(
    ("start", "end", "shares"),
    [
        (0, 1, [1 / 7] * 7),
        (1 / 7, 2 / 7, [0, 1, 0, 0, 0, 0, 0]),
        (1.5 / 7, 3 / 7, [0, 1 / 3, 2 / 3, 0, 0, 0, 0]),
        (0.5, 0.5, [0, 0, 0, 1, 0, 0, 0]),  # a box without extent
        (1, 1, [0, 0, 0, 0, 0, 0, 1]),
    ],
)
def test_an_interval_is_shared_among_the_cells_that_it_covers(start, end, shares):
    [found] = covered(np.array([start]), np.array([end]))

    assert found == pytest.approx(shares, abs=1e-4)
