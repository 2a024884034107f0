"""Builds the REST application: the routes of the handler modules, behind the edge."""

import importlib
import pkgutil
from collections.abc import Iterator
from collections.abc import Sequence
from types import ModuleType
from typing import Annotated
from typing import Any

from fastapi import FastAPI
from fastapi import Request
from fastapi import Response
from fastapi.exceptions import RequestValidationError
from pydantic import ByteSize
from pydantic import Field
from pydantic_settings import BaseSettings
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp

from acme_orders.platform.auth.tokens import TokenVerifier
from acme_orders.platform.domain import Failure
from acme_orders.platform.rest.edge import Edge
from acme_orders.platform.rest.problems import SCHEMA
from acme_orders.platform.rest.problems import FieldError
from acme_orders.platform.rest.problems import InternalError
from acme_orders.platform.rest.problems import InvalidRequest
from acme_orders.platform.rest.problems import MalformedBody
from acme_orders.platform.rest.problems import MethodNotAllowed
from acme_orders.platform.rest.problems import RouteNotFound
from acme_orders.platform.rest.problems import problem

NOT_FOUND = 404
METHOD_NOT_ALLOWED = 405
PLACES = ("body", "query", "path", "header", "cookie")


class RestSettings(BaseSettings):
    rest_host: str = "0.0.0.0"  # noqa: S104 - a container's only address is not known before it runs
    rest_port: Annotated[int, Field(ge=0, le=65535)] = 8000
    rest_max_body: Annotated[ByteSize, Field(gt=0)] = ByteSize(1024 * 1024)
    """Bytes of a request's body (`1MiB`); more is answered with 413."""


class RestApp(FastAPI):
    """FastAPI whose answers to failures are problems, also in its OpenAPI document."""

    def __init__(self, title: str) -> None:
        super().__init__(
            title=title,
            version="v1",
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            # What a client's generator calls the route; by default it also holds path and method.
            generate_unique_id_function=lambda route: route.name,
            separate_input_output_schemas=False,
            exception_handlers={
                Failure: _on_failure,
                RequestValidationError: _on_invalid_request,
                HTTPException: _on_http_exception,
                Exception: _on_exception,
            },
        )

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = SCHEMA
        return document


def create_app(
    title: str,
    verifier: TokenVerifier,
    settings: RestSettings,
    handlers: ModuleType,
    service: Any,
) -> ASGIApp:
    """Return the application with the routes of every module in the package `handlers`.

    A module takes part by having `register(app, service)`.
    """
    app = RestApp(title)
    for module in handler_modules(handlers):
        module.register(app, service)
    return Edge(app, verifier, settings.rest_max_body)


def handler_modules(handlers: ModuleType) -> Iterator[ModuleType]:
    """Import the modules of the package, in the order of their names; yield those with routes."""
    for found in pkgutil.iter_modules(handlers.__path__):
        if not found.name.startswith("_"):
            module = importlib.import_module(f"{handlers.__name__}.{found.name}")
            if hasattr(module, "register"):
                yield module


async def _on_failure(_: Request, failure: Failure) -> Response:
    return problem(failure)


async def _on_invalid_request(_: Request, error: RequestValidationError) -> Response:
    errors: Sequence[dict[str, Any]] = error.errors()
    if any(each["type"] == "json_invalid" for each in errors):
        return problem(MalformedBody("the body is not JSON"))
    return problem(InvalidRequest(FieldError(_field(each["loc"]), each["msg"]) for each in errors))


async def _on_http_exception(request: Request, error: HTTPException) -> Response:
    """Answer for the framework's own refusals."""
    if error.status_code == NOT_FOUND:
        return problem(RouteNotFound("there is nothing at this path"))
    if error.status_code == METHOD_NOT_ALLOWED:
        return problem(MethodNotAllowed("the path does not take this method", _methods(request)))
    return problem(MalformedBody("the body cannot be read"))


async def _on_exception(_: Request, __: Exception) -> Response:
    # The edge logs it: the framework raises it again after this answer.
    return problem(InternalError())


def _field(location: Sequence[str | int]) -> str:
    """Return where in the request it is: `lines.0.quantity`, `limit`; `body` for all of it."""
    inside = location[1:] if location[0] in PLACES else location
    return ".".join(map(str, inside)) or str(location[0])


def _methods(request: Request) -> set[str]:
    """Return what all routes of the path take; the framework names those of the first one only."""
    methods: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods
    return methods | ({"HEAD"} if "GET" in methods else set())
