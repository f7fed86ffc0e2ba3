"""Which code runs: the commit of its git checkout, else the version of the installed package."""

import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DESCRIBE = ("describe", "--always", "--dirty", "--abbrev=9", "--exclude=*")


@cache
def code_version() -> str:
    """`4c68864ab` or `4c68864ab-dirty` in a checkout, `0.1.0` installed, else `source`; asked once a process."""
    return commit(ROOT) or _package() or "source"


def commit(root: Path) -> str | None:
    """The commit that is checked out at a folder, -dirty where files differ from it; None where git knows none."""
    if not (root / ".git").exists():  # a folder within somebody else's checkout is not ours to name
        return None
    git = ["git", "--no-optional-locks", "-C", str(root), *DESCRIBE]
    try:
        done = subprocess.run(git, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603  # fixed arguments, no shell
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _package() -> str | None:
    try:
        return version("facetmill")
    except PackageNotFoundError:
        return None
