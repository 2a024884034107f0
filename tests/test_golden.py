"""The render with every flag on and the default answers is template/, byte for byte."""

from collections.abc import Iterator
from pathlib import Path

from extensions.living_template import TAG
from prewired.manifest import Manifest
from tests.conftest import Render
from tests.conftest import contents


def test_the_render_with_every_flag_on_is_the_template_as_it_stands(
    template: Path, render: Render
) -> None:
    manifest = Manifest(template)
    owned = set(manifest.rendered(dict.fromkeys(manifest.flags, True)))
    standing = {
        path: "\n".join(_awake((template / "template" / path).read_text().split("\n"))).encode()
        for path in owned
        if "_copier_conf" not in path
    }

    rendered = contents(render(**dict.fromkeys(manifest.flags, True)))

    del rendered[".copier-answers.yml"]
    assert rendered.keys() == standing.keys()
    for path, content in standing.items():
        assert rendered[path] == content, path


def _awake(lines: list[str]) -> Iterator[str]:
    """Leave out tag lines and what sleeps, without a look at any condition."""
    asleep = False
    for line in lines:
        if tag := TAG.fullmatch(line):
            asleep = tag["tag"] == "else"
        elif not asleep:
            yield line
