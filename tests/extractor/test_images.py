"""Pictures from anywhere: what can be shown is decoded alike, what cannot is refused with its reason, in time."""

import os
import random
import struct
import zlib
from io import BytesIO

import boto3
import numpy as np
import pytest
from moto.server import ThreadedMotoServer
from PIL import Image

from extractor import images
from extractor.errors import BackendError, ContractError
from extractor.images import Config

RED, BLUE = (255, 0, 0), (0, 0, 255)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """A picture as bytes of a format."""
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def left_red_right_blue() -> Image.Image:
    image = Image.new("RGB", (40, 20), BLUE)
    image.paste(RED, (0, 0, 20, 20))
    return image


def colours(raster: images.Raster, *points: tuple[int, int]) -> list[str]:
    """The strongest channel at each (x, y)."""
    return ["RGB"[int(np.argmax(raster.rgb[y, x]))] for x, y in points]


@pytest.mark.parametrize("kind", images.FORMATS)
def test_every_format_is_decoded_to_the_same_picture(kind):
    raster = images.decode(saved(left_red_right_blue(), kind), Config())

    assert (raster.width, raster.height, str(raster.rgb.dtype)) == (40, 20, "uint8")
    assert colours(raster, (5, 10), (35, 10)) == ["R", "B"]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK", "YCbCr", "I;16"])
def test_every_mode_becomes_rgb(mode):
    image = Image.new("L", (8, 4), 255 if mode == "1" else 204).convert("RGB")
    image = Image.fromarray(np.full((4, 8), 204 * 256, np.uint16)) if mode == "I;16" else image.convert(mode)

    raster = images.decode(saved(image, "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"), Config())

    assert raster.rgb.shape == (4, 8, 3)
    assert raster.rgb.mean() == pytest.approx(255 if mode == "1" else 204, abs=2)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_what_is_transparent_is_white_and_not_the_black_behind_it(kind):
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))

    raster = images.decode(saved(image, kind), Config())

    assert raster.rgb.min() == 255


def test_a_cmyk_jpeg_keeps_its_colours():
    raster = images.decode(saved(left_red_right_blue().convert("CMYK"), "JPEG"), Config())

    assert colours(raster, (5, 10), (35, 10)) == ["R", "B"]


def test_a_phone_picture_stands_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees, clockwise

    raster = images.decode(saved(left_red_right_blue(), "JPEG", exif=exif), Config())

    assert (raster.width, raster.height) == (20, 40)
    assert colours(raster, (10, 5), (10, 35)) == ["R", "B"]


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animated_picture_the_first_frame_counts(kind):
    frames = [Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), BLUE)]

    raster = images.decode(saved(frames[0], kind, save_all=True, append_images=frames[1:]), Config())

    assert colours(raster, (4, 4)) == ["R"]


def test_the_hash_names_the_bytes_and_not_the_pixels():
    image = left_red_right_blue()

    one, same, other = (images.decode(saved(image, kind), Config()) for kind in ("PNG", "PNG", "BMP"))

    assert one.image_hash == same.image_hash
    assert one.image_hash != other.image_hash


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims to be large and holds not one pixel."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


PNG = saved(left_red_right_blue(), "PNG")
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "found 0 bytes, expected an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no image that we know"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "no image that we know"),
        (b"P6 2 2 255 " + bytes(12), "no image that we know"),  # Pillow reads it; we never asked for it
        (PNG[:60], "a broken file"),
        (saved(NOISE, "JPEG")[:1500], "a broken file"),
        (saved(NOISE, "WEBP")[:900], "a broken file"),
        (saved(NOISE, "GIF")[:900], "a broken file"),
        (saved(Image.new("F", (4, 4)), "TIFF"), "pixels of mode F"),
        (png_of(7_100, 7_100), "7,100 x 7,100 pixels, expected at most 50,000,000"),
        (png_of(12_000, 12_000), "12,000 x 12,000 pixels"),  # where Pillow alone would warn
        (png_of(30_000, 30_000), "expected at most 50,000,000 pixels"),  # where Pillow itself refuses
    ],
)
def test_what_is_no_picture_is_refused_with_its_reason(content, says):
    with pytest.raises(ContractError) as caught:
        images.decode(content, Config())

    assert says in str(caught.value)


def test_limits_refuse_only_what_is_beyond_them():
    assert images.decode(PNG, Config(max_bytes=len(PNG), max_pixels=800)).width == 40

    with pytest.raises(ContractError, match="bytes"):
        images.decode(PNG, Config(max_bytes=len(PNG) - 1))
    with pytest.raises(ContractError, match="pixels"):
        images.decode(PNG, Config(max_pixels=799))


def test_broken_bytes_give_a_picture_or_a_reason_and_nothing_else():
    whole = [saved(NOISE, kind) for kind in images.FORMATS] + [
        saved(NOISE.quantize(16), kind) for kind in ("PNG", "GIF")
    ]
    dice = random.Random(3)
    outcomes = []

    for _ in range(600):
        content = bytearray(dice.choice(whole))
        for _ in range(dice.randint(1, 12)):
            content[dice.randrange(min(len(content), dice.choice([60, 20_000])))] = dice.randrange(256)
        try:
            outcome: object = images.decode(
                bytes(content[: dice.choice([len(content), 500])]), Config(max_pixels=100_000)
            ).rgb
        except ContractError as error:
            outcome = str(error)
        outcomes.append(outcome)

    reasons = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert 100 < len(reasons) < len(outcomes)
    assert all("expected" in reason for reason in reasons)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "tea").mkdir(parents=True)
    (folder / "tea" / "a.png").write_bytes(PNG)
    (tmp_path / "secret.png").write_bytes(PNG)
    (folder / "out.png").symlink_to(tmp_path / "secret.png")
    (folder / "in.png").symlink_to(folder / "tea" / "a.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    os.mkfifo(folder / "pipe.png")
    return folder


@pytest.mark.parametrize("uri", ["tea/a.png", "tea/../tea/a.png", "in.png", "./tea/a.png"])
def test_a_path_below_the_root_is_read(root, uri):
    assert images.open_bytes(str(root), uri, Config()) == PNG


def test_an_absolute_path_is_read_only_below_the_root(root):
    assert images.open_bytes(str(root), str(root / "tea" / "a.png"), Config()) == PNG

    with pytest.raises(ContractError, match="leaves its root"):
        images.open_bytes(str(root), str(root.parent / "secret.png"), Config())


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("../secret.png", "leaves its root"),
        ("tea/../../secret.png", "leaves its root"),
        ("/etc/passwd", "leaves its root"),
        ("out.png", "leaves its root"),
        ("../pictures-2/a.png", "leaves its root"),
        ("http://example.org/a.png", "a foreign address"),
        ("file:///etc/passwd", "a foreign address"),
        ("a\0.png", "a foreign address"),
        ("loop.png", "expected"),
        ("x" * 5000, "expected"),
        ("nowhere.png", "found nothing, expected a file"),
        ("tea", "found Directory, expected a file"),
        ("", "found Directory, expected a file"),
        ("pipe.png", "expected a file"),  # reading it would wait for ever
    ],
)
def test_a_path_that_leads_elsewhere_is_refused_with_its_reason(root, uri, says):
    with pytest.raises(ContractError) as caught:
        images.open_bytes(str(root), uri, Config())

    assert says in str(caught.value)


def test_a_file_that_is_too_large_is_refused_unread(root):
    with pytest.raises(ContractError, match=r"picture 'tea/a\.png': found \d+ bytes, expected at most 10"):
        images.open_bytes(str(root), "tea/a.png", Config(max_bytes=10))


@pytest.fixture(scope="module")
def s3():
    """A bucket on this machine; gives the Config that leads there."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        endpoint = "http://{}:{}".format(*server.get_host_and_port())
        client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
        client.create_bucket(Bucket="shop")
        for key in ("pictures/a b#1.png", "pictures-2/a.png", "private/a.png"):
            client.put_object(Bucket="shop", Key=key, Body=PNG)
        yield Config(s3_endpoint=endpoint, s3_region="us-east-1")
        server.stop()


def test_pictures_lie_on_s3_below_an_s3_root_by_path_or_full_address(s3):
    assert images.open_bytes("s3://shop/pictures", "a b#1.png", s3) == PNG
    assert images.open_bytes("s3://shop/pictures/", "s3://shop/pictures/a b#1.png", s3) == PNG


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("s3://shop/private/a.png", "leaves its root"),
        ("s3://shop/pictures-2/a.png", "leaves its root"),  # a neighbour that begins alike
        ("s3://shop/pictures", "leaves its root"),
        ("s3://shop/pictures/../private/a.png", "leaves its root"),
        ("../private/a.png", "leaves its root"),
        ("/etc/passwd", "leaves its root"),
        ("https://example.org/a.png", "leaves its root"),
        ("nowhere.png", "found nothing, expected a file"),
    ],
)
def test_an_s3_root_is_not_left_either(s3, uri, says):
    with pytest.raises(ContractError) as caught:
        images.open_bytes("s3://shop/pictures", uri, s3)

    assert says in str(caught.value)


def test_a_local_root_lets_no_feed_reach_into_s3(s3, tmp_path):
    with pytest.raises(ContractError, match="found a foreign address, expected a path below the root"):
        images.open_bytes(str(tmp_path), "s3://shop/pictures/a b#1.png", s3)


def test_a_store_that_does_not_answer_is_to_blame_itself(s3):
    nobody = Config(s3_endpoint="http://127.0.0.1:9", s3_region="us-east-1")

    with pytest.raises(BackendError) as caught:
        images.open_bytes("s3://shop/pictures", "a.png", nobody)

    assert caught.value.retry
