"""Cells: the whole picture and a grid of its parts, a schema for each setting, weights that are what they say."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional as F

from extractor.errors import ConfigError
from extractor.images import Raster
from extractor.records import Box
from extractor.regions import grid
from extractor.regions.backbones.resnet import ResNet
from extractor.regions.backbones.xception import Xception
from extractor.regions.base import half
from extractor.regions.cells import PAIR, Config, Detector, boxes, resnet_pixels, spans, xception_pixels

FINE, COARSE = Config(grid=49), Config()


@pytest.fixture(scope="module")
def fine():
    return Detector(FINE)


@pytest.fixture(scope="module")
def coarse():
    return Detector(COARSE)


def noise(height: int = 224, width: int = 224) -> Raster:
    rng = np.random.default_rng(0)
    return Raster(rng.integers(0, 255, (height, width, 3), np.uint8), "hash")


@pytest.mark.parametrize(("name", "regions"), [("fine", 50), ("coarse", 17)])
def test_a_picture_is_its_whole_and_its_cells_in_half_floats(request, name, regions):
    detector = request.getfixturevalue(name)

    features = detector.detect(noise(), [])

    assert (features.boxes.shape, features.boxes.dtype) == ((regions, 4), np.float32)
    assert (features.regions.shape, features.regions.dtype) == ((regions, 1280), np.float16)
    assert detector.dim == 1280


def test_words_have_no_vectors_and_change_nothing(coarse):
    without = coarse.detect(noise(), [])

    features = coarse.detect(noise(), [Box(0.1, 0.1, 0.4, 0.2)] * 3)

    assert (features.token_vectors.shape, features.token_vectors.dtype) == ((0, 1280), np.float16)
    assert features.regions.tobytes() == without.regions.tobytes()
    assert not Config.follows_words
    assert grid.Config.follows_words


def test_the_whole_is_the_mean_of_all_cells_and_what_pam_sees_of_it(fine):
    seen = fine.detect(noise(), []).regions.astype(np.float32)

    whole = grid.Detector(grid.Config()).detect(noise(), []).regions[0]

    assert seen[0] == pytest.approx(seen[1:].mean(axis=0), abs=2e-3)
    assert seen[0] == pytest.approx(whole, abs=1e-3)


def test_sixteen_cells_are_pooled_from_all_49(fine, coarse):
    map_CGG = torch.from_numpy(fine.detect(noise(), []).regions[1:].astype(np.float32)).T.reshape(1280, 7, 7)

    pooled = F.adaptive_avg_pool2d(map_CGG, 4).flatten(1).T

    assert coarse.detect(noise(), []).regions[1:] == pytest.approx(pooled.numpy(), abs=4e-3)


@pytest.mark.parametrize(
    ("G", "S", "expected"),
    [
        (7, 7, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7)]),
        (7, 4, [(0, 2), (1, 4), (3, 6), (5, 7)]),
        (10, 4, [(0, 3), (2, 5), (5, 8), (7, 10)]),
    ],
)
def test_coarse_cells_take_the_mean_of_overlapping_spans(G, S, expected):
    assert spans(G, S) == expected


def test_boxes_are_the_whole_and_what_each_cell_saw_row_by_row():
    assert boxes(7, 7)[:3] == pytest.approx(np.array([[0, 0, 7, 7], [0, 0, 1, 1], [1, 0, 2, 1]]) / 7)
    assert boxes(7, 4)[[2, 5, 16]] == pytest.approx(np.array([[1, 0, 4, 2], [0, 1, 2, 4], [5, 5, 7, 7]]) / 7)


def test_a_cell_sees_what_is_under_its_box(fine):
    plain = np.full((224, 224, 3), 128, np.uint8)
    marked = plain.copy()
    marked[192:, :32] = noise(32, 32).rgb

    change = fine.detect(Raster(marked, "hash"), []).regions - fine.detect(Raster(plain, "hash"), []).regions

    upper_left, upper_right, lower_left, lower_right = np.abs(change[[1, 7, 43, 49]]).mean(axis=1)
    assert lower_left > 100 * max(upper_left, upper_right, lower_right)


def test_what_half_precision_cannot_hold_is_its_largest_number():
    assert half(np.array([0.5, 1e6, np.inf], np.float32)).tolist() == [0.5, 65504, 65504]


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 3)])
def test_any_shape_of_picture_gives_finite_features(coarse, shape):
    assert np.isfinite(coarse.detect(noise(*shape), []).regions).all()


def test_the_same_picture_gives_the_same_bytes_whatever_was_seen_before(coarse):
    first = coarse.detect(noise(), [])
    coarse.detect(noise(64, 300), [])

    assert coarse.detect(noise(), []).regions.tobytes() == first.regions.tobytes()


def test_every_setting_that_changes_features_changes_the_schema(tmp_path):
    for name, content in (("a.pth", b"a"), ("b.pth", b"b")):
        (tmp_path / name).write_bytes(content)
    one, other = str(tmp_path / "a.pth"), str(tmp_path / "b.pth")

    schemas = [
        config.schema
        for config in (
            COARSE,
            FINE,
            Config(backbone=PAIR),
            Config(backbone=PAIR, seed=1),
            Config(backbone=PAIR, grid=100),
            Config(backbone=PAIR, resnet_weights=one),
            Config(backbone=PAIR, resnet_weights=other),
            Config(backbone=PAIR, xception_weights=one),
        )
    ]

    assert COARSE.schema == "efficientnet-lite0/7x7/whole+cells4x4/1280/f2"
    assert schemas[2] == "resnet152-random0+xception-random0/10x10/whole+cells4x4/2048/f2"
    assert len(set(schemas)) == len(schemas)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"grid": 100}, "'grid': found 100, expected at most 49"),
        ({"resnet_weights": "a.pth"}, "'resnet_weights': found 'a.pth', expected none"),
        ({"xception_weights": "a.pth"}, "'xception_weights': found 'a.pth', expected none"),
    ],
)
def test_settings_that_would_be_ignored_are_refused(settings, says):
    with pytest.raises(ConfigError, match=says):
        Config(**settings)


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (Config(backbone=PAIR, resnet_weights="nowhere.pth"), "resnet_weights"),
        (Config(backbone=PAIR, xception_weights="nowhere.pth"), "xception_weights"),
    ],
)
def test_missing_weights_are_named(config, key):
    with pytest.raises(ConfigError, match=rf"read_images\.regions\.{key}': found 'nowhere\.pth', expected an existing"):
        _ = config.schema


@pytest.mark.parametrize("shape", [(600, 800), (800, 601), (40, 300)])
def test_resnet_sees_the_middle_of_the_picture_after_its_shorter_side_is_256(shape):
    height, width = shape
    smooth = np.asarray(Image.fromarray(noise(20, 20).rgb).resize((width, height), Image.Resampling.BICUBIC))
    scale = 256 / min(shape)

    found = resnet_pixels(Raster(smooth, "hash"))

    resized = Image.fromarray(smooth).resize((int(width * scale), int(height * scale)), Image.Resampling.BILINEAR)
    left, top = (round((side - 224) / 2) for side in resized.size)
    middle = np.asarray(resized.crop((left, top, left + 224, top + 224)), np.float32) / 255
    expected = (middle - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert found.shape == (1, 3, 224, 224)
    assert found.dtype == np.float32
    assert found[0].transpose(1, 2, 0) == pytest.approx(expected, abs=0.02)  # one of 255 steps


def test_xception_sees_the_whole_picture_from_minus_one_to_one():
    halves = np.zeros((100, 40, 3), np.uint8)
    halves[:, 20:] = 255

    found = xception_pixels(Raster(halves, "hash"))

    assert found.shape == (1, 3, 299, 299)
    assert found.dtype == np.float32
    assert found[0, :, :, 0] == pytest.approx(-1)
    assert found[0, :, :, -1] == pytest.approx(1)


@pytest.mark.slow  # the networks of S2 at their own size: ten seconds on a busy machine
def test_the_pair_of_s2_gives_one_vector_and_a_hundred_cells_with_given_weights(tmp_path):
    resnet, xception = str(tmp_path / "resnet.pth"), str(tmp_path / "xception.safetensors")
    torch.manual_seed(5)
    published = ResNet().state_dict() | {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}
    torch.save(published, resnet)
    save_file(Xception().state_dict(), xception)

    given = Detector(Config(backbone=PAIR, grid=100, resnet_weights=resnet, xception_weights=xception))
    random = Detector(Config(backbone=PAIR, grid=49))

    seen, other = given.detect(noise(300, 400), []), random.detect(noise(1, 900), [])
    assert (seen.regions.shape, other.regions.shape) == ((101, 2048), (50, 2048))
    assert np.isfinite(seen.regions).all()
    assert np.isfinite(other.regions).all()
    assert not np.array_equal(seen.regions[0], random.detect(noise(300, 400), []).regions[0])


@pytest.mark.slow  # as above
def test_weights_of_another_network_are_refused_under_their_key(tmp_path):
    path = str(tmp_path / "xception.safetensors")
    save_file(Xception().state_dict(), path)

    with pytest.raises(ConfigError, match=r"read_images\.regions\.resnet_weights.* torchvision's resnet152 \("):
        Detector(Config(backbone=PAIR, resnet_weights=path))
