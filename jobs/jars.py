"""Fetch jars by checksum, with the Ivy that Spark brings: Delta's two, and on request those that S3 needs.

python -m jobs.jars
python -m jobs.jars s3
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyspark

from jobs.java import find_java


class Jar(NamedTuple):
    """One artifact of Maven's."""

    group: str
    artifact: str
    release: str
    sha256: str

    @property
    def file(self) -> str:
        """Its name in jars/."""
        return f"{self.artifact}-{self.release}.jar"


SETS = {
    # Delta's other dependencies are Spark's own, in newer versions: they are left out on purpose.
    "delta": (
        Jar(
            "io.delta", "delta-spark_4.2_2.13", "4.4.0",
            "27d4fd8b1f879535c573ed1c718177d6a27f24d3e626ba02e216369725721ead",
        ),
        Jar(
            "io.delta", "delta-storage", "4.4.0", "c46735481fa8e326b0957be02b4420cbcab4b325bb08009b7f2045a95133f1cc"
        ),
    ),
    # hadoop-aws must be of the release of Spark's own Hadoop; the SDK is one jar of 686 MB.
    "s3": (
        Jar(
            "org.apache.hadoop", "hadoop-aws", "3.5.0",
            "66bd9eefb938b1a1657487324b63c13df2d8b17164a1dd24e0ef37b905bc5baa",
        ),
        Jar(
            "software.amazon.s3.analyticsaccelerator", "analyticsaccelerator-s3", "1.3.1",
            "4959a9747cbb479c73c3ffbcd479bee5b014f8b2880994585a8693fb9d24675e",
        ),
        Jar(
            "software.amazon.awssdk", "bundle", "2.35.4",
            "db4b55f24ad1b4e70f17eb1717a4de76a8dadc5a27d764be7c44ff67b2c1c677",
        ),
    ),
}  # fmt: skip
"""What can be asked for: Delta's jars, which every job needs, and those of a warehouse on s3a://."""


def main(argv: Sequence[str] | None = None) -> None:
    """Leave every jar of the sets in jars/ with the right checksum, or stop with one message."""
    parser = argparse.ArgumentParser(prog="python -m jobs.jars", description=__doc__.partition("\n")[0])
    parser.add_argument("sets", nargs="*", default=["delta"], help=f"of {', '.join(SETS)} (default: delta)")
    asked = parser.parse_args(argv).sets
    if unknown := [name for name in asked if name not in SETS]:
        parser.error(f"found {unknown[0]!r}, expected one of {', '.join(SETS)}")
    java = find_java()
    folder = Path("jars")
    folder.mkdir(exist_ok=True)
    for jar in (jar for name in asked for jar in SETS[name]):
        provide(java, jar, folder / jar.file)


def provide(java: str, jar: Jar, path: Path) -> None:
    """Leave a jar at its path, fetched if it is not there whole."""
    if path.is_file() and sha256(path) == jar.sha256:
        return
    fetch(java, jar, path)
    found = sha256(path)
    if found != jar.sha256:
        path.unlink()
        sys.exit(f"jars: {jar.file} has SHA-256 {found}, expected {jar.sha256}; it was removed")


def fetch(java: str, jar: Jar, path: Path) -> None:
    """Resolve one artifact, without its dependencies, into its file."""
    [ivy] = (Path(pyspark.__file__).parent / "jars").glob("ivy-*.jar")
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(  # noqa: S603  # fixed arguments, no shell
            [
                *(java, "-jar", str(ivy), "-cache", cache, "-m2compatible", "-notransitive", "-types", "jar"),
                *("-confs", "default", "-dependency", jar.group, jar.artifact, jar.release),
                *("-retrieve", f"{path.parent}/[artifact]-[revision].[ext]"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode or not path.is_file():
        name = f"{jar.group}:{jar.artifact}:{jar.release}"
        sys.exit(f"jars: {name} could not be fetched:\n{done.stdout[-2000:]}{done.stderr[-500:]}")


def sha256(path: Path) -> str:
    """The checksum of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    main()
