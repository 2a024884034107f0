"""The living template's extension: tags in comments, names, and blocks that are not as agreed."""

import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml
from copier.errors import UserMessageError
from jinja2.sandbox import SandboxedEnvironment

from extensions.living_template import ANSWERS
from extensions.living_template import CONDITIONS
from extensions.living_template import LivingTemplate

ROOT = Path(__file__).parents[1]
SETTINGS = yaml.safe_load((ROOT / "copier.yml").read_text())

ON = {"grpc": True, "example": True, "package_index": "", "_copier_phase": "render"}
OFF = {**ON, "grpc": False}


def rendered(source: str, answers: dict[str, Any] = ON) -> str:
    envops = {**SETTINGS["_envops"]}
    del envops["undefined"]
    environment = SandboxedEnvironment(extensions=[LivingTemplate], **envops)
    jinja = environment.preprocess(source, name="template/a/file")
    return environment.from_string(jinja).render(**answers)


def refusal(source: str) -> str:
    with pytest.raises(UserMessageError) as refused:
        rendered(dedent(source))
    return str(refused.value)


@pytest.mark.parametrize(
    ("opening", "closing"), [("# ", ""), ("// ", ""), ("-- ", ""), ("<!-- ", " -->")]
)
def test_a_block_in_any_comment_syntax_comes_and_goes_with_its_flag(
    opening: str, closing: str
) -> None:
    def comment(text: str) -> str:
        return f"    {opening}{text}{closing}\n"

    source = (
        "before\n"
        + comment("{% if grpc %}")
        + "    with\n"
        + comment("{% else %}")
        + comment("without")
        + comment("{% endif %}")
        + "after\n"
    )

    with_grpc = rendered(source, ON)
    without_grpc = rendered(source, OFF)

    assert with_grpc == "before\n    with\nafter\n"
    assert without_grpc == "before\n    without\nafter\n"


@pytest.mark.parametrize("mark", ["#", "//", "--", "<!-- -->"])
def test_a_bare_mark_wakes_as_a_blank_line(mark: str) -> None:
    comment = mark.replace("<!-- -->", "<!--")
    end = " -->" if comment == "<!--" else ""
    source = dedent(
        f"""\
        {comment} {{% if grpc %}}{end}
        awake
        {comment} {{% else %}}{end}
        {comment} one{end}
            {mark}
        {comment}     four deep{end}
        {comment} {{% endif %}}{end}
        always
        """
    )

    assert rendered(source, OFF) == "one\n\n    four deep\nalways\n"


def test_only_the_first_mark_of_a_sleeping_line_is_taken_off() -> None:
    source = "# {% if grpc %}\n# {% else %}\n# # a remark  # and another\n# {% endif %}\nx\n"

    assert rendered(source, OFF) == "# a remark  # and another\nx\n"


def test_conditions_are_joined_by_and_or_and_not() -> None:
    source = "# {% if grpc and not package_index or not example %}\nx\n# {% endif %}\ny\n"

    assert rendered(source, ON) == "x\ny\n"
    assert rendered(source, {**ON, "package_index": "https://index.example"}) == "y\n"


def test_names_in_a_file_become_the_answers() -> None:
    answers = {question: f"<{question}>" for question in ANSWERS.values()}

    source = "\n".join(ANSWERS)

    assert rendered(source, answers) == "\n".join(answers.values())


def test_a_name_in_a_path_becomes_the_answer_only_when_rendering() -> None:
    environment = SandboxedEnvironment(
        extensions=[LivingTemplate], variable_start_string="⟦", variable_end_string="⟧"
    )
    path = environment.from_string("acme_orders")

    assert path.render(_copier_phase="render", package_name="shop") == "shop"
    assert path.render(_copier_phase="prompt") == "acme_orders"


def test_every_name_that_stands_for_an_answer_is_that_answers_default() -> None:
    asked = {name: question for name, question in SETTINGS.items() if not name.startswith("_")}

    for literal, question in ANSWERS.items():
        default = asked[question]["default"]
        derived = "⟦" in default or question == "package_index"
        assert derived or default == literal


def test_the_flags_of_tags_are_the_switches_of_the_questions() -> None:
    switches = {
        name
        for name, question in SETTINGS.items()
        if not name.startswith("_") and question["type"] == "bool"
    }

    assert switches | {"package_index"} == CONDITIONS


@pytest.mark.parametrize("character", ["\f", "\v", "\x1c", "\x85", "\u2028"])
def test_only_a_newline_ends_a_line(character: str) -> None:
    source = f"# {{% if grpc %}}\na{character}b\n# {{% endif %}}\nx{character}# y"

    assert rendered(source) == f"a{character}b\nx{character}# y"


def test_a_file_without_a_newline_at_its_end_stays_so() -> None:
    assert rendered("# {% if grpc %}\nx\n# {% endif %}\nlast") == "x\nlast"


@pytest.mark.parametrize(
    "foreign", ["${{ github.ref }}", "{{ .Values.image }}", "{{- if .x }}", "{# no comment #}"]
)
def test_what_belongs_to_other_tools_is_left_alone(foreign: str) -> None:
    assert rendered(f"# {{% if grpc %}}\n{foreign}\n# {{% endif %}}\nx\n") == f"{foreign}\nx\n"


REFUSED = {
    "an unknown flag": (
        """\
        first
        # {% if gprc %}
        x
        # {% endif %}
        last
        """,
        "template/a/file:2: unknown flag 'gprc'",
    ),
    "an unclosed block": (
        """\
        first
        # {% if grpc %}
        x
        """,
        "template/a/file:2: this block is not closed",
    ),
    "a block inside a block": (
        """\
        # {% if grpc %}
        # {% if example %}
        # {% endif %}
        # {% endif %}
        last
        """,
        "template/a/file:2: a block inside a block",
    ),
    "a block inside an else": (
        """\
        # {% if grpc %}
        # {% else %}
        # {% if example %}
        """,
        "template/a/file:3: a block inside a block",
    ),
    "elif": (
        """\
        # {% if grpc %}
        # {% elif example %}
        # {% endif %}
        last
        """,
        "template/a/file:2: unknown tag 'elif example': use if, else and endif",
    ),
    "another tag of Jinja": (
        "# {% set x = 1 %}\n",
        "template/a/file:1: unknown tag 'set x = 1': use if, else and endif",
    ),
    "an else without if": ("x\n# {% else %}\n", "template/a/file:2: else without if"),
    "an endif without if": ("x\n# {% endif %}\n", "template/a/file:2: endif without if"),
    "a second else": (
        "# {% if grpc %}\n# {% else %}\n# {% else %}\n",
        "template/a/file:3: else without if",
    ),
    "a block at the end of a file": (
        "x\n# {% if grpc %}\ny\n# {% endif %}\n\n",
        "template/a/file:4: a block ends the file; a line must stand after it",
    ),
    "a block between two blank lines": (
        "x\n\n# {% if grpc %}\ny\n# {% endif %}\n\nz\n",
        "template/a/file:3: a block between two blank lines",
    ),
    "a block at the start of a file, before a blank line": (
        "# {% if grpc %}\ny\n# {% endif %}\n\nz\n",
        "template/a/file:1: a block between two blank lines",
    ),
    "a block right after a block": (
        "# {% if grpc %}\ny\n# {% endif %}\n# {% if example %}\ny\n# {% endif %}\nz\n",
        "template/a/file:4: a block right after a block, with no line between",
    ),
    "a line that does not sleep": (
        "# {% if grpc %}\n# {% else %}\nawake\n# {% endif %}\nz\n",
        "template/a/file:3: a line of an else branch sleeps in a comment",
    ),
    "a blank line in an else": (
        "# {% if grpc %}\n# {% else %}\n\n# {% endif %}\nz\n",
        "template/a/file:3: a line of an else branch sleeps in a comment",
    ),
    "a tag beside code": (
        "x = 1  # {% if grpc %}\n",
        "template/a/file:1: a tag is written `{% tag %}`, alone in a comment",
    ),
    "a tag without its spaces": (
        "#{%if grpc%}\n",
        "template/a/file:1: a tag is written `{% tag %}`, alone in a comment",
    ),
    "a comment that is not closed": (
        "<!-- {% if grpc %}\n",
        "template/a/file:1: a tag is written `{% tag %}`, alone in a comment",
    ),
}


@pytest.mark.parametrize(("source", "message"), REFUSED.values(), ids=REFUSED)
def test_a_block_that_is_not_as_agreed_is_refused_with_its_file_and_line(
    source: str, message: str
) -> None:
    assert refusal(source) == message


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A template of one file, with the settings of the real one."""
    root = tmp_path / "small"
    (root / "template").mkdir(parents=True)
    (root / "extensions").symlink_to(ROOT / "extensions")
    (root / "copier.yml").write_text((ROOT / "copier.yml").read_text())
    return root


def copied(template: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "copier", "copy", "--trust", "--defaults", template, "service"],
        cwd=template.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def test_copier_tells_a_wrong_block_in_one_line(small: Path) -> None:
    (small / "template/settings.toml").write_text("a = 1\n# {% if gprc %}\n# {% endif %}\nb = 1\n")

    copy = copied(small)

    assert copy.returncode == 1
    assert "template/settings.toml:2: unknown flag 'gprc'" in copy.stderr.splitlines()[-1]
    assert "Traceback" not in copy.stderr


@pytest.mark.parametrize(
    "content",
    [b"\x89PNG\r\n\x1a\n\x00\xff{% acme_orders", b"caf\xe9 {% if %}", b"\xff\xfea\x00"],
    ids=["binary", "latin-1", "utf-16"],
)
def test_a_file_that_is_not_utf_8_is_copied_as_it_is(small: Path, content: bytes) -> None:
    (small / "template/file").write_bytes(content)

    copy = copied(small)

    assert copy.returncode == 0, copy.stderr
    assert (small.parent / "service/file").read_bytes() == content
