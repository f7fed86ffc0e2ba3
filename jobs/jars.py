"""Fetch Delta's two jars by checksum, with the Ivy that Spark brings; also the check for Java.

python -m jobs.jars
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pyspark

JARS = {
    "delta-spark_4.2_2.13-4.4.0.jar": "27d4fd8b1f879535c573ed1c718177d6a27f24d3e626ba02e216369725721ead",
    "delta-storage-4.4.0.jar": "c46735481fa8e326b0957be02b4420cbcab4b325bb08009b7f2045a95133f1cc",
}
"""File to SHA-256. Delta's other dependencies are Spark's own, in newer versions: they are left out on purpose."""

JAVA = (17, 21)
"""The Java releases that Spark 4.2 and Delta 4.4 run on."""


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


def find_java() -> str:
    """The Java that Spark will use; stops with the release that was found where it is none of ours."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(str(Path(home) / "bin" / "java")) if home else shutil.which("java")
    wanted = " or ".join(map(str, JAVA))
    if java is None:
        sys.exit(
            f"Java {wanted} is needed and none was found: install it (e.g. openjdk-17-jre-headless) or set JAVA_HOME"
        )
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr  # noqa: S603  # the operator's own Java
    release = re.search(r'version "(\d+)', told)
    if release is None or int(release[1]) not in JAVA:
        first = told.splitlines()[0] if told else "nothing"
        sys.exit(f"Java {wanted} is needed, found at {java}: {first}; install it or set JAVA_HOME")
    return java


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
