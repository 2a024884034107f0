"""What every request passes on its way in and out: one lean ASGI layer around the application."""

import time
from collections.abc import Sequence

import structlog
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp
from starlette.types import Message
from starlette.types import Receive
from starlette.types import Scope
from starlette.types import Send

from acme_orders.platform.auth.tokens import TokenVerifier
from acme_orders.platform.auth.tokens import bearer
from acme_orders.platform.domain import Caller
from acme_orders.platform.domain import Failure
from acme_orders.platform.rest.body import read_body
from acme_orders.platform.rest.problems import InternalError
from acme_orders.platform.rest.problems import problem
from acme_orders.platform.telemetry.context import incoming
from acme_orders.platform.telemetry.context import outgoing
from acme_orders.platform.telemetry.metrics import REQUEST_DURATION
from acme_orders.platform.telemetry.metrics import REQUESTS

CORRELATION = "x-correlation-id"
UNROUTED = "unrouted"
"""The route of requests that no route took: their paths are anybody's words."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})
CLIENT_GONE = 499
"""What nginx logs when nobody is left to answer."""
SAFE_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
"""An API's answers are data: not to be stored on the way, framed, sniffed or run."""

log = structlog.get_logger()


class Edge:
    """Authenticates every request before it is routed, so that no route can forget to."""

    def __init__(self, app: ASGIApp, verifier: TokenVerifier, max_body: int) -> None:
        self._app = app
        self._verifier = verifier
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            with incoming(headers):
                await self._answer(headers, scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)

    async def _answer(self, headers: Headers, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        method = scope["method"]
        answer = _Answer(send, with_body=method != "HEAD")
        try:
            scope.setdefault("state", {})["caller"] = await self._authenticate(headers)
            if method == "HEAD":
                scope["method"] = "GET"
            if method not in WITHOUT_BODY:
                receive = await read_body(headers, receive, self._max_body)
            await self._app(scope, receive, answer.send)
        except Failure as failure:
            await problem(failure)(scope, receive, answer.send)
        except ClientDisconnect:
            answer.status = CLIENT_GONE
        except Exception:
            log.exception("request.failed")
            if not answer.status:
                await problem(InternalError())(scope, receive, answer.send)
        finally:
            _record(method, scope, answer.status or CLIENT_GONE, time.perf_counter() - started)

    async def _authenticate(self, headers: Headers) -> Caller:
        # Two of these headers are somebody's attempt to have two readers see two callers.
        given = headers.getlist("authorization")
        return await self._verifier.verify(bearer(given[0]) if len(given) == 1 else "")


class _Answer:
    """Sends an answer with the headers that all answers have, and remembers its status."""

    def __init__(self, send: Send, *, with_body: bool) -> None:
        self.status = 0
        self._send = send
        self._with_body = with_body

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = _with_safe_headers(message["headers"])
        elif not self._with_body:
            message["body"] = b""
        await self._send(message)


def _with_safe_headers(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Add the headers that are missing; a route may have set its own `Cache-Control`."""
    given = {name for name, _ in headers}
    correlation = (CORRELATION.encode(), outgoing()[CORRELATION].encode())
    return [*headers, *(header for header in SAFE_HEADERS if header[0] not in given), correlation]


def _record(method: str, scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", UNROUTED)
    # Callers invent methods, too, and each would be a series of its own.
    labels = ("rest", method if method in METHODS else "other", route, str(status))
    REQUESTS.labels(*labels).inc()
    REQUEST_DURATION.labels(*labels).observe(seconds)
    log.info(
        "request.finished",
        method=labels[1],
        route=route,
        status=status,
        duration_ms=round(seconds * 1000, 1),
    )
