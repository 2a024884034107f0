"""Versions as entity tags, and the conditions that callers tie to them (RFC 9110, section 13)."""

import re
from typing import Annotated

from fastapi import Depends
from fastapi import Header
from pydantic.json_schema import SkipJsonSchema

from acme_orders.platform.domain import InvalidField

ANY = "*"
TAG = r'^"[1-9][0-9]{0,8}"$'


def etag(version: int) -> str:
    """Return the version as a strong entity tag."""
    return f'"{version}"'


def _expected_version(
    if_match: Annotated[
        str,
        Header(
            alias="If-Match",
            description="Change it only if it has this `ETag`; `*`: in any version.",
            examples=['"3"'],
            json_schema_extra={"anyOf": [{"const": ANY}, {"pattern": TAG}]},
        ),
    ] = ANY,
) -> int | None:
    if if_match == ANY:
        return None
    if not re.fullmatch(TAG, if_match):
        raise InvalidField("If-Match", f'must be {ANY}, or one ETag such as "3"')
    return int(if_match.strip('"'))


ExpectedVersion = Annotated[int | None, Depends(_expected_version)]
"""The version of `If-Match`; None if the caller accepts any."""


IfNoneMatch = Annotated[
    str | SkipJsonSchema[None],
    Header(
        alias="If-None-Match",
        description="Answer 304 if it still has this `ETag`.",
        examples=['"3"'],
    ),
]


def unchanged(if_none_match: str | None, version: int) -> bool:
    """Say whether the caller has this version already."""
    known = (if_none_match or "").split(",")
    return any(tag.strip().removeprefix("W/") in (ANY, etag(version)) for tag in known)
