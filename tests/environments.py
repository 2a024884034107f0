"""Environments of rendered services: one for each distinct set of locks, made once and kept.

One environment with everything in it would hide an import of a package that a combination does not
install.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from platformdirs import user_cache_path

READY = ".ready"  # the mark that the service's own Makefile looks for


def equip(service: Path) -> None:
    """Give a service its `.venv`, as `make setup` would; an environment that it has is left alone."""
    place = service / ".venv"
    if place.is_symlink():
        place.unlink()
    if not place.exists():
        place.symlink_to(environment(service))
        (place / READY).touch()  # newer than the locks, which were written just now


def environment(service: Path) -> Path:
    """Make the environment that the service's locks describe, or find the one made before."""
    locks = sorted((service / "requirements").glob("*.txt"))
    content = "\0".join([sys.version, *(lock.read_text() for lock in locks)])
    key = hashlib.sha256(content.encode()).hexdigest()[:20]
    top = user_cache_path("prewired") / "environments"
    top.mkdir(parents=True, exist_ok=True)
    folder = top / key
    with (top / f"{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test process may be making it
        if not (folder / READY).exists():
            shutil.rmtree(folder, ignore_errors=True)
            uv("venv", "--quiet", "--seed", "--python", sys.executable, str(folder))
            sync = ("pip", "sync", "--quiet", "--python", str(folder), "--require-hashes")
            uv(*sync, *map(str, locks))
            (folder / READY).touch()
    return folder


def uv(*arguments: str) -> None:
    """Run the uv that is locked for this repository's tests."""
    program = Path(sys.executable).with_name("uv")
    subprocess.run([str(program), *arguments], check=True, env=outside())


def outside() -> dict[str, str]:
    """Give the variables of a shell that knows nothing of this repository's environment."""
    ours = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "MAKEFLAGS", "MAKELEVEL"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.startswith(("PREWIRED_", "PYTEST_"))
    }
    binaries = str(Path(sys.executable).parent)
    path = (entry for entry in kept["PATH"].split(os.pathsep) if entry != binaries)
    return {**kept, "PATH": os.pathsep.join(path)}


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        equip(Path(folder))
