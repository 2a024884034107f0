"""Where the template is, and how a service that it renders finds it again."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import metadata
from pathlib import Path

from prewired.failures import EnvironmentRefused

PACKAGED = Path(__file__).parent / "_template"
CHECKOUT = Path(__file__).parents[2]
RELEASE = Path(__file__).parent / "_release.json"
PARTS = ("copier.yml", "questions", "extensions", "template")


@dataclass(frozen=True, slots=True)
class Source:
    """The template's root, and the URL and commit that a service records for its updates."""

    root: Path
    url: str | None = None
    commit: str | None = None
    caveat: str | None = None  # what an update must know, as the rest of "cannot …" or "note: …"


def find() -> Source:
    """Find the template in the installed wheel, or in the checkout of an editable install."""
    if (PACKAGED / "copier.yml").is_file():
        return _released(PACKAGED)
    if (CHECKOUT / "copier.yml").is_file():
        return _checkout(CHECKOUT)
    raise EnvironmentRefused(
        "this install of Prewired carries no template; install it again from a wheel or a checkout"
    )


def _released(root: Path) -> Source:
    release = json.loads(RELEASE.read_text()) if RELEASE.is_file() else {}
    if "tag" not in release:
        why = release.get("reason", "it was built without its Git history")
        return Source(root, caveat=f"this Prewired is no release: {why}")
    return Source(root, url=repository(), commit=release["tag"])


def repository() -> str:
    """Read the URL in the form that Copier takes for Git on any host."""
    entries = metadata("prewired").get_all("Project-URL") or []
    urls = dict(entry.split(", ", 1) for entry in entries)
    url: str = urls["Repository"]
    return url if url.startswith(("git+", "git@")) else f"git+{url}"


def _checkout(root: Path) -> Source:
    commit = _git(root, "describe", "--tags", "--always")
    if commit is None or _git(root, "rev-parse", "--show-toplevel") != f"{root.resolve()}\n":
        return Source(root, caveat=f"{root} is no Git checkout with a commit")
    changed = _git(root, "status", "--porcelain", "--", *PARTS)
    return Source(
        root,
        url=f"git+file://{root.resolve()}",
        commit=commit.strip(),
        caveat="the template has changes that are not committed" if changed else None,
    )


@contextmanager
def files(source: Source) -> Iterator[Path]:
    """Give the template's own files: of a checkout without what its tools left there."""
    listed = None
    if source.root != PACKAGED:
        listed = _git(
            source.root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", *PARTS
        )
    if listed is None:
        yield source.root
        return
    with tempfile.TemporaryDirectory(prefix="prewired-template-") as folder:
        for file in filter(None, listed.split("\0")):
            if (source.root / file).is_file():
                copy = Path(folder, file)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source.root / file, copy)
        yield Path(folder)


def _git(root: Path, *arguments: str) -> str | None:
    """Ask Git about the checkout; None if there is no Git or no repository."""
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout
