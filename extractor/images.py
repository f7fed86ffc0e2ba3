"""Safe opening of pictures: bytes from below a root, pixels within limits, one clear reason for whatever fails."""

import hashlib
import math
import struct
import warnings
import zlib
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow.fs as pafs
from PIL import Image, ImageOps, UnidentifiedImageError

from extractor.errors import BackendError, ContractError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""The decoders that may see foreign bytes; Pillow has dozens, each one more door."""

S3 = "s3://"

Pixels = npt.NDArray[np.uint8]
"""[height, width, 3], RGB."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How large a picture may be, and how s3:// is reached."""

    max_bytes: int = 30_000_000
    """Bytes of a file; a larger one is refused before it is read."""
    max_pixels: int = 50_000_000
    """Width times height; a larger picture is refused before a pixel is decoded."""
    s3_endpoint: str = ""
    """Endpoint of an S3-compatible store, e.g. http://minio:9000; empty means AWS."""
    s3_region: str = ""
    """Region of the buckets; empty leaves it to the AWS configuration."""


class Raster(NamedTuple):
    """A decoded picture, upright, without transparency."""

    rgb: Pixels
    image_hash: str
    """SHA-256 of the file's bytes."""

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.rgb.shape[0])


def open_bytes(root: str, uri: str, config: Config) -> bytes:
    """The bytes of a picture below the root; ContractError if the picture is to blame, BackendError if the store is."""
    is_remote = root.startswith(S3)
    path = _remote_path(root, uri) if is_remote else _local_path(root, uri)
    filesystem = _s3(config.s3_endpoint, config.s3_region) if is_remote else pafs.LocalFileSystem()
    try:
        info = filesystem.get_file_info(path)
        if info.type != pafs.FileType.File:
            raise ContractError(f"picture {uri!r}", info.type.name.replace("NotFound", "nothing"), "a file")
        if info.size > config.max_bytes:
            raise ContractError(f"picture {uri!r}", f"{info.size:,} bytes", f"at most {config.max_bytes:,}")
        with filesystem.open_input_file(path) as stream:
            content: bytes = stream.read(config.max_bytes)
    except OSError as error:
        if is_remote:
            raise BackendError("S3", f"{uri}: {_first_line(error)}", retry=True) from error
        raise ContractError(f"picture {uri!r}", _first_line(error), "a readable file") from error
    return content


def hash_bytes(content: bytes) -> str:
    """What names a picture, wherever it lies and however many products show it."""
    return hashlib.sha256(content).hexdigest()


def decode(content: bytes, config: Config) -> Raster:
    """The first frame as upright RGB on white; ContractError with the reason where that cannot be."""
    if not content:
        raise ContractError("picture", "0 bytes", "an image")
    if len(content) > config.max_bytes:
        raise ContractError("picture", f"{len(content):,} bytes", f"at most {config.max_bytes:,}")
    try:
        # Pillow warns of what it mends and of its own limit on pixels; ours speaks below.
        with warnings.catch_warnings(action="ignore"), Image.open(BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > config.max_pixels:
                found = f"{image.width:,} x {image.height:,} pixels"
                raise ContractError("picture", found, f"at most {config.max_pixels:,} in all")
            image.load()
            rgb = np.asarray(_flatten(ImageOps.exif_transpose(image)), dtype=np.uint8)
    except UnidentifiedImageError as error:
        raise ContractError("picture", "no image that we know", f"one of {', '.join(FORMATS)}") from error
    except Image.DecompressionBombError as error:
        raise ContractError("picture", _first_line(error), f"at most {config.max_pixels:,} pixels") from error
    except BROKEN as error:
        raise ContractError("picture", f"a broken file ({_first_line(error)})", "a whole image") from error
    return Raster(rgb, hash_bytes(content))


def padded(rgb: Pixels, max_ratio: float) -> Pixels:
    """White below or to the right of a strip, until its longer side is at most `max_ratio` times its shorter."""
    height, width, _ = rgb.shape
    least = math.ceil(max(height, width) / max_ratio)
    missing = (0, max(0, least - height)), (0, max(0, least - width)), (0, 0)
    return np.pad(rgb, missing, constant_values=255)


BROKEN = (
    OSError,  # truncated, and most decoders' complaints
    SyntaxError,  # a broken PNG chunk or TIFF directory
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders are seen to raise on broken files."""


def _flatten(image: Image.Image) -> Image.Image:
    """RGB of any mode: transparent parts become white, 16 bits become 8, CMYK and palettes are converted."""
    if image.mode.startswith("I;16"):
        # Pillow would clip to 255, which leaves a white picture.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ContractError("picture", f"pixels of mode {image.mode}", "8 or 16 bits a channel")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    return image.convert("RGB")


def _local_path(root: str, uri: str) -> str:
    """The real path of a picture; links and .. are followed first, so none leads out of the root."""
    if "://" in uri or "\0" in uri:
        expected = "a path below the root; s3:// addresses need a root that is one"
        raise ContractError(f"picture {uri!r}", "a foreign address", expected)
    top = Path(root).resolve()
    try:
        path = (top / uri).resolve()
    except (OSError, RuntimeError) as error:  # a name too long, a loop of links
        raise ContractError(f"picture {uri!r}", _first_line(error), "a path below the root") from error
    if not path.is_relative_to(top):
        raise ContractError(f"picture {uri!r}", "a path that leaves its root", f"one below {root}")
    return str(path)


def _remote_path(root: str, uri: str) -> str:
    """bucket/key of a path below an s3:// root, or of a full address that lies there; the credentials reach further."""
    prefix = root.removeprefix(S3).rstrip("/") + "/"
    path = uri.removeprefix(S3) if uri.startswith(S3) else prefix + uri
    leaves = ".." in path.split("/") or not path.startswith(prefix)
    if leaves or (not uri.startswith(S3) and ("://" in uri or uri.startswith("/"))):
        raise ContractError(f"picture {uri!r}", "a path that leaves its root", f"one below {root}")
    return path


@cache
def _s3(endpoint: str, region: str) -> pafs.S3FileSystem:
    """One client a process; credentials come from where AWS's own tools look."""
    return pafs.S3FileSystem(endpoint_override=endpoint or None, region=region or None)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
