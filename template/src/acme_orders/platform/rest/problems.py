"""Failures as problem details (RFC 9457), and the one table from their kinds to statuses."""

import json
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from typing import ClassVar

from starlette.responses import Response

from acme_orders.platform.auth.keys import IssuerUnavailable
from acme_orders.platform.auth.tokens import ScopeMissing
from acme_orders.platform.auth.tokens import TokenRefused
from acme_orders.platform.domain import Failure
from acme_orders.platform.domain import InvalidField
from acme_orders.platform.domain import Kind

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "1"
"""Seconds. The first wait; nobody knows the next, so clients make theirs longer by themselves."""
MOST_ERRORS = 20
LONGEST_FIELD = 100

STATUS = {
    Kind.INVALID: 422,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.REFUSED: 409,
    Kind.STALE: 412,
    Kind.CONCURRENT: 409,
    Kind.UNAVAILABLE: 503,
}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {
            "type": "string",
            "format": "uri-reference",
            "description": "Names the failure; switch on this.",
        },
        "title": {"type": "string", "description": "The failure's name in words."},
        "status": {"type": "integer", "description": "The status of this answer."},
        "detail": {"type": "string", "description": "What happened this time, for a reader."},
        "errors": {
            "type": "array",
            "description": "The fields that are wrong.",
            "items": {
                "type": "object",
                "required": ["field", "detail"],
                "properties": {
                    "field": {
                        "type": "string",
                        "description": "Where it stands: `lines.0.quantity`, `limit`, `If-Match`.",
                    },
                    "detail": {"type": "string", "description": "What is wrong with it."},
                },
            },
        },
    },
}


class RestFailure(Failure):
    """A failure that only HTTP knows, with the status that HTTP has for it."""

    status: ClassVar[int]


class MalformedBody(RestFailure):
    """The body is not JSON in UTF-8."""

    status = 400


class RouteNotFound(RestFailure):
    """There is nothing at this path. A trailing slash makes another path."""

    status = 404


class MethodNotAllowed(RestFailure):
    """The path does not take this method. The header `Allow` says which ones it takes."""

    status = 405

    def __init__(self, message: str, allowed: Iterable[str]) -> None:
        super().__init__(message)
        self.allowed = sorted(allowed)


class BodyTooLarge(RestFailure):
    """The body is longer than the service accepts."""

    status = 413


class UnsupportedMediaType(RestFailure):
    """The body is not JSON, or its `Content-Type` does not say `application/json`."""

    status = 415


class InternalError(RestFailure):
    """The service failed in a way that it did not foresee.

    The header `X-Correlation-Id` leads to the log lines that say more.
    """

    status = 500

    def __init__(self) -> None:
        super().__init__("the service failed; the correlation id leads to the reason")


@dataclass(frozen=True, slots=True)
class FieldError:
    field: str
    detail: str


class InvalidRequest(Failure):
    """A field of the body, the path, the query or a header is missing, unknown or out of its range.

    `errors` names each one, such as `lines.0.quantity`.
    """

    def __init__(self, errors: Iterable[FieldError]) -> None:
        super().__init__("some fields are not valid")
        self.errors = list(errors)[:MOST_ERRORS]


FOR_ANY_REQUEST: tuple[type[Failure], ...] = (
    TokenRefused,
    ScopeMissing,
    InvalidRequest,
    InternalError,
    IssuerUnavailable,
)


def status_of(failure: type[Failure]) -> int:
    return failure.status if issubclass(failure, RestFailure) else STATUS[failure.kind]


def type_of(failure: type[Failure]) -> str:
    """Return the problem's `type`: relative, since the service does not know its public address."""
    return f"/problems/{failure.code()}"


def title_of(failure: type[Failure]) -> str:
    return failure.code().replace("-", " ").capitalize()


def problem(failure: Failure) -> Response:
    """Return the failure as an answer."""
    if isinstance(failure, InvalidField):
        failure = InvalidRequest([FieldError(failure.field, failure.reason)])
    kind = type(failure)
    members: dict[str, Any] = {
        "type": type_of(kind),
        "title": title_of(kind),
        "status": status_of(kind),
        "detail": str(failure),
    }
    if isinstance(failure, InvalidRequest):
        members["errors"] = [
            {"field": error.field[:LONGEST_FIELD], "detail": error.detail}
            for error in failure.errors
        ]
    # Escaped to ASCII: a field's name comes from the caller, and may hold half a surrogate pair.
    return Response(
        json.dumps(members),
        status_code=members["status"],
        headers=_headers(failure),
        media_type=MEDIA_TYPE,
    )


def documented(*failures: type[Failure]) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that fails in these ways, and in those of any request."""
    by_status: dict[int, list[type[Failure]]] = {}
    for failure in sorted({*failures, *FOR_ANY_REQUEST}, key=lambda failure: failure.code()):
        by_status.setdefault(status_of(failure), []).append(failure)
    return {status: _response(status, by_status[status]) for status in sorted(by_status)}


def _response(status: int, failures: list[type[Failure]]) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": " or ".join(title_of(failure) for failure in failures),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {each.code(): {"value": _example(each)} for each in failures},
            },
        },
    }
    headers = _DOCUMENTED_HEADERS.get(status)
    return {**response, "headers": headers} if headers else response


def _example(failure: type[Failure]) -> Mapping[str, Any]:
    summary = (failure.__doc__ or "").partition("\n")[0]
    members = {
        "type": type_of(failure),
        "title": title_of(failure),
        "status": status_of(failure),
        "detail": summary,
    }
    if failure is InvalidRequest:
        members["errors"] = [{"field": "lines.0.quantity", "detail": "must be 1 or more"}]
    return members


def _headers(failure: Failure) -> dict[str, str]:
    match failure:
        case TokenRefused(error=None):
            return {"WWW-Authenticate": "Bearer"}
        case TokenRefused():
            return {"WWW-Authenticate": _challenge(failure.error, failure.description)}
        case ScopeMissing():
            challenge = _challenge(failure.error, failure.description)
            return {"WWW-Authenticate": f'{challenge}, scope="{failure.scope}"'}
        case MethodNotAllowed():
            return {"Allow": ", ".join(failure.allowed)}
        case Failure(kind=Kind.UNAVAILABLE):
            return {"Retry-After": RETRY_AFTER}
    return {}


def _challenge(error: str | None, description: str) -> str:
    """Return what is wrong with the token, as RFC 6750 writes it."""
    return f'Bearer error="{error}", error_description="{description}"'


_STRING = {"schema": {"type": "string"}}
_DOCUMENTED_HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"description": "`Bearer`, and why (RFC 6750).", **_STRING}},
    403: {"WWW-Authenticate": {"description": "The scope that is missing, if any.", **_STRING}},
    503: {"Retry-After": {"description": "Seconds to wait before asking again.", **_STRING}},
}
