"""The questions: what their answers are by default, which are derived, and which are refused."""

import json
import keyword
import re
import string
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from extensions import answers
from tests.environments import environment
from tests.environments import outside

ROOT = Path(__file__).parents[1]
SETTINGS = yaml.safe_load((ROOT / "copier.yml").read_text())
QUESTIONS: dict[str, dict[str, Any]] = {
    name: question for name, question in SETTINGS.items() if not name.startswith("_")
}
LIST_MODULES = "import importlib.metadata as m, json; print(json.dumps(m.packages_distributions()))"
LOCKS = sorted((ROOT / "template/requirements").glob("*.txt"))


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_has_a_default_a_type_and_a_help_in_plain_words(name: str) -> None:
    question = QUESTIONS[name]

    assert "default" in question
    assert question["type"] in {"str", "bool"}
    assert 20 <= len(question["help"]) <= 100
    assert question["type"] == "bool" or f"⟦ {name} | wrong_" in question["validator"]


ACCEPTED = {
    "slug": ["ab", "acme-orders", "a1-2b", "x" * 30],
    "package": ["ab", "acme_orders", "a1_2b", "x" * 30, "orders", "service"],
    "title": ["Ab", "Acme Orders", "R&D Orders 2.0", "B-C", "C++ x", "x" * 60],
    "description": [
        "Orders of Acme, from cart to doorstep",
        "Bestellungen für Köln: 100% 'frisch' & #1 {% if %} {{ x }}",
        "x" * 80,
    ],
    "team": ["a", "acme-team", "team-2"],
    "organisation": ["Acme", "acme-org", "1password"],
    "registry": [
        "registry.acme.example",
        "localhost:5000",
        "ghcr.io/acme",
        "a.azurecr.io/x/y_z",
    ],
    "domain": ["k8s.acme.example", "a.b"],
    "index": [
        "",
        "https://packages.acme.example/simple",
        "http://localhost:8080/root/pypi/+simple/".replace("+", ""),
    ],
    "license": ["LicenseRef-Proprietary", "MIT", "Apache-2.0", "MIT OR Apache-2.0"],
}

REFUSED = {
    "slug": [
        *("", "a", "Acme", "1acme", "-acme", "acme-", "acme--orders", "acme_orders", "acme orders"),
        *("acme.orders", "x" * 31, "fastapi", "pydantic-settings", "on", "no", "null", "true"),
        *("\u0430cme", "acme\n", "acme'", "acme\u200b", "\uff41cme", "acmé"),
    ],
    "package": [
        *("", "a", "Acme", "1acme", "_acme", "acme_", "acme__orders", "acme-orders", "acme orders"),
        *(
            "x" * 31,
            "class",
            "import",
            "match",
            "case",
            "type",
            "platform",
            "email",
            "test",
            "json",
        ),
        *("fastapi", "grpc", "google", "jwt", "dev", "tests", "docs", "src", "yes", "off"),
        *("\u0430cme", "acme\n", "acme\x00", "\ufb01le", "none\u2028"),
    ],
    "title": [
        *(
            "",
            "A",
            "1st",
            " Acme",
            "Acme ",
            "Acme  Orders",
            "Acme\nOrders",
            'Acme "Orders"',
            "Acme\t",
        ),
        *("Acme\\Orders", "Acme: Orders", "Acme #1", "\u0410cme", "x" * 61, "yes", "Null", "Acme'"),
        *("Acme {% if %}", "⟦ x ⟧", "Acme\x1b[0m", "Acme-", "Acme</script>"),
    ],
    "description": [
        *(
            "",
            " x",
            "x ",
            "x  y",
            "x\ny",
            "x\ty",
            'x "y"',
            "x \\ y",
            "x `y`",
            "x $y",
            "x <y>",
            "# x",
        ),
        *(
            "- x",
            "x\u202ey",
            "x\u200by",
            "x\x00",
            "x\x7f",
            "⟦ x ⟧",
            "\u041erders",
            "x" * 81,
            "x\u2028y",
            "\u2044",
        ),
    ],
    "team": [
        "",
        "A",
        "-a",
        "a-",
        "a--b",
        "a_b",
        "a b",
        "a/b",
        "@a",
        "x" * 40,
        "1234",
        "true",
        "\u0430",
    ],
    "organisation": ["", "-a", "a-", "a--b", "a_b", "a/b", "x" * 40, "1234", "1e3", "Yes", "0x1F"],
    "registry": [
        *("", "https://x.example", "X.example", "x.example/", "x..y", "-x.y", "x:0", "x:123456"),
        *("x.example:a", "x y", "x.example/A", "x\n", "1.5", "true", "x.example/$y"),
    ],
    "domain": [
        "",
        "acme",
        "Acme.example",
        ".a",
        "a.",
        "a..b",
        "-a.b",
        "a-.b",
        "a_b.c",
        "1.5",
        "a.b/c",
    ],
    "index": [
        *(
            "packages.example",
            "ftp://x.example",
            "https://",
            "https://u:p@x.example",
            "https://x y",
        ),
        *(
            "https://x.example?a=b",
            "https://x.example#a",
            'https://x.example"',
            "https://x.example\n",
        ),
        *("https://x.example/$HOME", "https://x.example/" + "x" * 200, "https://[x"),
    ],
    "license": [
        "",
        "mit",
        "Proprietary",
        "MIT OR",
        "GPL",
        "MIT\n",
        'MIT"',
        "LicenseRef-",
        "mit or bsd",
    ],
}


@pytest.mark.parametrize(
    ("check", "answer"), [(check, answer) for check, good in ACCEPTED.items() for answer in good]
)
def test_a_good_answer_is_accepted(check: str, answer: str) -> None:
    assert answers.CHECKS[check](answer) == ""


@pytest.mark.parametrize(
    ("check", "answer"), [(check, answer) for check, bad in REFUSED.items() for answer in bad]
)
def test_a_bad_answer_is_refused_in_a_short_message(check: str, answer: str) -> None:
    message = answers.CHECKS[check](answer)

    assert 10 < len(message) < 60
    assert message.isprintable()


@given(st.sampled_from(sorted(answers.CHECKS)), st.text())
def test_no_answer_breaks_a_check_and_every_message_is_short(check: str, answer: str) -> None:
    assert len(answers.CHECKS[check](answer)) < 60


@given(st.from_regex(answers.DESCRIPTION, fullmatch=True))
def test_an_accepted_description_stands_unharmed_in_double_quotes_of_yaml_and_toml(
    description: str,
) -> None:
    if answers.wrong_description(description):
        return

    assert yaml.safe_load(f'x: "{description}" # y') == {"x": description}
    assert not set(description) & set('"\\\n`$<>⟦⟧')


@given(st.from_regex(answers.TITLE, fullmatch=True))
def test_every_accepted_project_name_derives_names_that_are_accepted(name: str) -> None:
    if answers.wrong_title(name):
        return

    slug = answers.as_slug(name)
    package = answers.as_package(slug)

    assert answers.wrong_slug(slug) == ""
    assert answers.wrong_package(package) == ""


@pytest.mark.parametrize(
    ("name", "slug", "package"),
    [
        ("Acme Orders", "acme-orders", "acme_orders"),
        ("R&D", "r-d", "r_d"),
        ("Email", "email", "email_service"),
        ("FastAPI", "fastapi-service", "fastapi_service"),
        ("Yes", None, None),
        ("Global Order Fulfilment and Returns", "global-order-fulfilment-and", None),
        ("x" * 60, "x" * 30, "x" * 30),
    ],
)
def test_names_are_derived_from_the_projects_name(
    name: str, slug: str | None, package: str | None
) -> None:
    assert answers.as_slug(name) == (slug or answers.as_slug(name))
    assert answers.as_package(answers.as_slug(name)) == (
        package or answers.as_package(answers.as_slug(name))
    )


@pytest.mark.parametrize(
    "word", sorted({*keyword.kwlist, *keyword.softkwlist, *sys.stdlib_module_names})
)
def test_no_package_takes_a_name_of_python(word: str) -> None:
    assert answers.wrong_package(word)


def test_no_service_takes_the_name_of_what_it_installs() -> None:
    locked = {
        canonicalize_name(name)
        for lock in LOCKS
        for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock.read_text(), re.MULTILINE)
    }

    assert locked
    assert {name for name in locked if len(name) <= 30 and not answers.wrong_slug(name)} == set()


@pytest.mark.service
def test_no_package_takes_a_name_that_the_service_imports() -> None:
    locked = {
        canonicalize_name(name)
        for lock in LOCKS
        for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock.read_text(), re.MULTILINE)
    }
    listed = subprocess.run(
        [environment(ROOT / "template") / "bin/python", "-c", LIST_MODULES],
        check=True,
        capture_output=True,
        text=True,
        env=outside(),
    )
    imported = {
        module
        for module, distributions in json.loads(listed.stdout).items()
        if locked & set(map(canonicalize_name, distributions))
    }

    assert "fastapi" in imported
    assert {name for name in imported if not answers.wrong_package(name)} == set()


def test_no_package_takes_the_name_of_a_folder_at_the_services_top() -> None:
    folders = {folder.name for folder in (ROOT / "template").iterdir() if folder.is_dir()}

    plain = {folder for folder in folders if set(folder) <= {*string.ascii_lowercase, "_"}}
    assert {folder for folder in plain if not answers.wrong_package(folder)} == set()
