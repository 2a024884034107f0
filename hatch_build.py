"""Carry the template in the wheel, and say which release it is."""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CARRIED = ("copier.yml", "questions", "extensions", "template")


class CarryTemplate(BuildHookInterface[Any]):
    """Add the template's tracked files and `_release.json`; an editable install reads the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        include: dict[str, str] = build_data["force_include"]
        if self.target_name == "wheel":
            for file in _files(root):
                include[str(root / file)] = f"prewired/_template/{file}"
        if _is_checkout(root):
            place = "prewired" if self.target_name == "wheel" else "src/prewired"
            include[self._write(_release(root, self.metadata.version))] = f"{place}/_release.json"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        del version, build_data, artifact_path
        if hasattr(self, "_folder"):
            self._folder.cleanup()

    def _write(self, release: dict[str, str]) -> str:
        self._folder = tempfile.TemporaryDirectory()
        file = Path(self._folder.name) / "_release.json"
        file.write_text(json.dumps(release) + "\n")
        return str(file)


def _files(root: Path) -> list[str]:
    if _is_checkout(root):
        listed = _git(
            root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", *CARRIED
        )
        return [file for file in listed.split("\0") if file and (root / file).is_file()]
    return [
        file.relative_to(root).as_posix()
        for top in CARRIED
        for file in ([root / top] if (root / top).is_file() else sorted((root / top).rglob("*")))
        if file.is_file() and "__pycache__" not in file.parts
    ]


def _release(root: Path, version: str) -> dict[str, str]:
    """Name the tag that this build is, or say why it is none."""
    tag = f"v{version}"
    if _git(root, "status", "--porcelain"):
        return {"reason": "it was built from a checkout with uncommitted changes"}
    if tag not in _git(root, "tag", "--points-at", "HEAD").split():
        commit = _git(root, "rev-parse", "--short", "HEAD").strip()
        return {"reason": f"it was built from commit {commit}, which is not tagged {tag}"}
    return {"tag": tag}


def _is_checkout(root: Path) -> bool:
    return (root / ".git").exists()


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True
    ).stdout
