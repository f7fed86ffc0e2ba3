"""Fetch Delta's two jars by checksum, with the Ivy that Spark brings.

python -m jobs.jars
"""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

import pyspark

from jobs.java import find_java

JARS = {
    "delta-spark_4.2_2.13-4.4.0.jar": "27d4fd8b1f879535c573ed1c718177d6a27f24d3e626ba02e216369725721ead",
    "delta-storage-4.4.0.jar": "c46735481fa8e326b0957be02b4420cbcab4b325bb08009b7f2045a95133f1cc",
}
"""File to SHA-256. Delta's other dependencies are Spark's own, in newer versions: they are left out on purpose."""


def main() -> None:
    """Leave every jar in jars/ with the right checksum, or stop with one message."""
    java = find_java()
    folder = Path("jars")
    folder.mkdir(exist_ok=True)
    for name, checksum in JARS.items():
        jar = folder / name
        if jar.is_file() and sha256(jar) == checksum:
            continue
        fetch(java, name, jar)
        if sha256(jar) != checksum:
            found = sha256(jar)
            jar.unlink()
            sys.exit(f"jars: {name} has SHA-256 {found}, expected {checksum}; it was removed")


def fetch(java: str, name: str, jar: Path) -> None:
    """Resolve one artifact, without its dependencies, into its file."""
    artifact, release = name.removesuffix(".jar").rsplit("-", 1)
    [ivy] = (Path(pyspark.__file__).parent / "jars").glob("ivy-*.jar")
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(  # noqa: S603  # fixed arguments, no shell
            [
                *(java, "-jar", str(ivy), "-cache", cache, "-m2compatible", "-notransitive", "-types", "jar"),
                *("-confs", "default", "-dependency", "io.delta", artifact, release),
                *("-retrieve", f"{jar.parent}/[artifact]-[revision].[ext]"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode or not jar.is_file():
        sys.exit(
            f"jars: io.delta:{artifact}:{release} could not be fetched:\n{done.stdout[-2000:]}{done.stderr[-500:]}"
        )


def sha256(path: Path) -> str:
    """The checksum of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    main()
