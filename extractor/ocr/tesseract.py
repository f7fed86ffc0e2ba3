"""Tesseract, run as a program: the weak second engine (56.5 % of the words of drawn packs)."""

import csv
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO, StringIO

from PIL import Image

from extractor.errors import BackendError, ContractError
from extractor.images import Raster
from extractor.ocr.base import Reading, in_shares
from extractor.records import Token

MAX_SIDE = 32_767
"""Pixels: Tesseract takes no longer side."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which Tesseract, and how it looks at a page."""

    binary: str = "tesseract"
    """Program, by name on the PATH or by path."""
    languages: str = "eng"
    """Language data to use, joined by +, e.g. eng+swe."""
    page_mode: int = 11
    """Tesseract's --psm; 11 looks for sparse text in no particular order, as on a pack."""
    min_confidence: float = 0.0
    """Words that the engine is less sure of are dropped, 0..1."""
    timeout: float = 60.0
    """Seconds after which a picture is given up."""

    @property
    def schema(self) -> str:
        """Engine, version and every setting that changes what is read; BackendError where the program is missing."""
        return f"tesseract-{_version(self.binary)}/{self.languages}/psm{self.page_mode}/score{self.min_confidence:g}"


class Reader:
    """Starts the program once a picture and reads its table of words."""

    def __init__(self, config: Config) -> None:
        self.schema = config.schema
        self._config = config

    def read(self, picture: Raster) -> Reading:
        """The words of one picture, in the program's order."""
        if max(picture.width, picture.height) > MAX_SIDE:
            found = f"{picture.width:,} x {picture.height:,} pixels"
            raise ContractError("picture", found, f"sides of at most {MAX_SIDE:,} for Tesseract")
        png = BytesIO()
        Image.fromarray(picture.rgb).save(png, "PNG", compress_level=1)
        config = self._config
        options = ["stdin", "stdout", "-l", config.languages, "--psm", str(config.page_mode), "--dpi", "70", "tsv"]
        try:
            table = _run([config.binary, *options], png.getvalue(), config.timeout)
        except subprocess.TimeoutExpired as error:
            raise ContractError(
                "picture", f"no answer in {config.timeout:g} s", "text that Tesseract can read"
            ) from error
        kept = (
            word for word in words(table, picture.width, picture.height) if word.confidence >= config.min_confidence
        )
        return Reading(tuple(kept))


def words(table: str, width: int, height: int) -> Iterator[Token]:
    """The words of Tesseract's TSV output; its other levels (page, block, paragraph, line) carry no text."""
    for row in csv.DictReader(StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        text = (row["text"] or "").strip()
        confidence = float(row["conf"])
        if not text or confidence < 0:
            continue
        left, top = int(row["left"]), int(row["top"])
        right, bottom = left + int(row["width"]), top + int(row["height"])
        box = in_shares(left, top, right, bottom, width=width, height=height)
        yield Token(text, confidence / 100, box)


@cache
def _version(binary: str) -> str:
    """`tesseract 5.3.0` says 5.3.0."""
    return _run([binary, "--version"], b"", 30.0).split()[1]


def _run(command: list[str], given: bytes, timeout: float) -> str:
    binary = shutil.which(command[0])
    if binary is None:
        raise BackendError("Tesseract", f"no program {command[0]!r} on this machine; install tesseract-ocr")
    # One thread a program: Spark already runs one a core.
    env = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    done = subprocess.run(  # noqa: S603  # the operator's own program, no shell, the picture on its standard input
        [binary, *command[1:]], input=given, capture_output=True, timeout=timeout, check=False, env=env
    )
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode != 0:
        problem = said.splitlines()[-1] if said else "no message"
        was_killed = done.returncode < 0  # for want of memory, say: the next picture may fare better
        raise BackendError("Tesseract", f"exit {done.returncode}: {problem}", retry=was_killed)
    return done.stdout.decode()
