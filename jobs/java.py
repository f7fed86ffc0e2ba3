"""The check for Java, before anything is installed: it needs the standard library alone.

python -m jobs.java
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

JAVA = (17, 21)
"""The Java releases that Spark 4.2 and Delta 4.4 run on."""


def find_java() -> str:
    """The Java that Spark will use; stops with the release that was found where it is none of ours."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(str(Path(home) / "bin" / "java")) if home else shutil.which("java")
    wanted = " or ".join(map(str, JAVA))
    mend = "install it (e.g. openjdk-17-jre-headless) or set JAVA_HOME"
    if java is None:
        where = f"in JAVA_HOME={home}" if home else "on the PATH"
        sys.exit(f"Java {wanted} is needed and none was found {where}: {mend}")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603  # the operator's own Java
    release = re.search(r'version "(\d+)', told)
    if release is None or int(release[1]) not in JAVA:
        first = told.strip().splitlines()[0] if told.strip() else "nothing"
        sys.exit(f"Java {wanted} is needed, found at {java}: {first}; {mend}")
    return java


if __name__ == "__main__":
    find_java()
