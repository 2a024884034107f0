"""One readable list of everything that is wrong with the settings of a process."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from pydantic import Field
from pydantic import SecretStr
from pydantic import field_validator
from pydantic_settings import BaseSettings

from acme_orders.platform.settings import InvalidSettings
from acme_orders.platform.settings import Seconds
from acme_orders.platform.settings import reading


class Store(BaseSettings):
    store_url: SecretStr = Field(examples=["store://user:password@host"])
    store_timeout: Seconds = timedelta(seconds=3)

    @field_validator("store_url")
    @classmethod
    def _has_port(cls, value: SecretStr) -> SecretStr:
        assert urlsplit(value.get_secret_value()).port != 0
        return value


class Mail(BaseSettings):
    mail_size: int = Field(ge=1, examples=["10"])
    mail_names: tuple[str, ...] = ()


def problems(*models: type[BaseSettings]) -> list[str]:
    with pytest.raises(InvalidSettings) as refused, reading() as read:
        for model in models:
            read(model)
    return refused.value.problems


@pytest.mark.parametrize("text", ["1.5", "PT1.5S"])
def test_a_duration_is_a_number_of_seconds_or_iso_8601(
    monkeypatch: pytest.MonkeyPatch,
    text: str,
) -> None:
    monkeypatch.setenv("STORE_URL", "store://host")
    monkeypatch.setenv("STORE_TIMEOUT", text)

    with reading() as read:
        store = read(Store)

    assert store.store_timeout == timedelta(seconds=1.5)


def test_the_problems_of_all_models_are_told_at_once_with_examples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STORE_TIMEOUT", "soon")
    monkeypatch.setenv("MAIL_SIZE", "0")

    assert problems(Store, Mail) == [
        "STORE_URL is missing; for example STORE_URL=store://user:password@host",
        "STORE_TIMEOUT is wrong: must be a number of seconds, or ISO 8601 (PT5S)",
        "MAIL_SIZE is wrong: input should be greater than or equal to 1; for example MAIL_SIZE=10",
    ]


@pytest.mark.parametrize("timeout", ["3", "wrong"])
def test_an_empty_secret_is_a_problem_whatever_else_is(
    monkeypatch: pytest.MonkeyPatch,
    timeout: str,
) -> None:
    monkeypatch.setenv("STORE_URL", " ")
    monkeypatch.setenv("STORE_TIMEOUT", timeout)

    assert any(problem.startswith("STORE_URL is empty") for problem in problems(Store))


def test_no_piece_of_a_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_URL", "store://user:hunter2/and@host")

    [problem] = problems(Store)

    assert problem.startswith("STORE_URL has a form that is not accepted")
    assert "hunter2" not in problem


def test_a_value_that_is_no_json_where_one_is_needed_is_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAIL_SIZE", "1")
    monkeypatch.setenv("MAIL_NAMES", "a, b")

    [problem] = problems(Mail)

    assert "mail_names" in problem


def test_a_problem_of_two_models_is_told_once() -> None:
    assert len(problems(Store, Store)) == 1


def test_the_cause_is_told_where_the_block_stumbles_over_it() -> None:
    with pytest.raises(InvalidSettings, match="MAIL_SIZE"), reading() as read:
        read(Mail).mail_size.bit_length()
