"""Who calls a route, and the scope that the route takes: one dependency, also seen in OpenAPI."""

from typing import Any
from typing import cast

from fastapi import Request
from fastapi import Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase

from acme_orders.platform.auth.tokens import require
from acme_orders.platform.domain import Caller


class _AccessToken(SecurityBase):
    """The token is checked before routing, by `edge`; what is left here is the scope."""

    def __init__(self) -> None:
        self.model = HTTPBearer(
            bearerFormat="JWT",
            description="An access token of the identity provider, with the route's scope.",
        )
        self.scheme_name = "access_token"

    async def __call__(self, request: Request, needed: SecurityScopes) -> Caller:
        caller = cast(Caller, request.state.caller)
        for scope in needed.scopes:
            require(caller, scope)
        return caller


_access_token = _AccessToken()


def caller_with(scope: str) -> Any:
    """Make the dependency of a route whose caller needs the scope: `Annotated[Caller, …]`."""
    return Security(_access_token, scopes=[scope])
