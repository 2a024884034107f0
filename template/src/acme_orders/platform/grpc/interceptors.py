"""What every call passes on its way in and out: one interceptor, so that it is one layer."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextlib import asynccontextmanager
from contextlib import nullcontext
from typing import Any
from typing import NoReturn
from typing import Protocol
from typing import TypeAlias

import grpc
import structlog
from google.protobuf.message import DecodeError

from acme_orders.platform.auth.tokens import bearer
from acme_orders.platform.auth.tokens import require
from acme_orders.platform.domain import Caller
from acme_orders.platform.domain import Failure
from acme_orders.platform.domain import Kind
from acme_orders.platform.grpc.context import called_by
from acme_orders.platform.grpc.context import deadline
from acme_orders.platform.grpc.status import Refusal
from acme_orders.platform.grpc.status import internal_error
from acme_orders.platform.grpc.status import refusal
from acme_orders.platform.telemetry.context import CORRELATION_HEADER
from acme_orders.platform.telemetry.context import incoming
from acme_orders.platform.telemetry.context import outgoing
from acme_orders.platform.telemetry.metrics import REQUEST_DURATION
from acme_orders.platform.telemetry.metrics import REQUESTS

TENANT = "x-tenant"
UNKNOWN = "unknown"
"""The route of calls that no service takes: their methods are anybody's words."""

Context = grpc.aio.ServicerContext[Any, Any]
# Only the stubs know that it is generic.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
MaybeHandler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"

log = structlog.get_logger()
names = {code.value[0]: code.name for code in grpc.StatusCode}


class MethodClosed(Failure):
    """No scope has been named for this method, so nobody may call it."""

    kind = Kind.FORBIDDEN


class TenantMismatch(Failure):
    """The metadata `x-tenant` names another tenant than the access token does."""

    kind = Kind.FORBIDDEN


class MalformedMessage(Failure):
    """The request's bytes are not the message that the method takes."""


class Verifier(Protocol):
    async def verify(self, token: str) -> Caller: ...


class Edge(grpc.aio.ServerInterceptor):
    """Admits a call if its token is good and has the scope that the method takes.

    Methods are named as in the wire's path: `/package.Service/Method`. A method that is neither in
    `scopes` nor in `open_methods` is refused to everybody.
    """

    def __init__(
        self,
        verifier: Verifier,
        scopes: Mapping[str, str],
        open_methods: frozenset[str] = frozenset(),
    ) -> None:
        self._verifier = verifier
        self._scopes = scopes
        self._open = open_methods

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[MaybeHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        method = handler_call_details.method
        handler = await continuation(handler_call_details)
        if handler is None:
            # Also here the token comes first: a stranger is not told which methods there are.
            return grpc.stream_stream_rpc_method_handler(self._unknown)
        if handler.response_streaming:
            return self._streaming(method, handler)
        return self._unary(method, handler)

    def _unary(self, method: str, handler: Handler) -> Handler:
        serve: Any = handler.stream_unary or handler.unary_unary

        async def answer(request: Any, context: Context) -> Any:
            async with self._call(method, context):
                return await serve(_read(handler, request), context)

        if handler.request_streaming:
            return grpc.stream_unary_rpc_method_handler(
                answer,
                handler.request_deserializer,
                handler.response_serializer,
            )
        # Read behind the door: the bytes of strangers are not parsed.
        return grpc.unary_unary_rpc_method_handler(answer, None, handler.response_serializer)

    def _streaming(self, method: str, handler: Handler) -> Handler:
        serve: Any = handler.stream_stream or handler.unary_stream

        async def answer(request: Any, context: Context) -> AsyncIterator[Any]:
            async with self._call(method, context):
                if inspect.isasyncgenfunction(serve):
                    async for message in serve(_read(handler, request), context):
                        yield message
                else:
                    await serve(_read(handler, request), context)

        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(
                answer,
                handler.request_deserializer,
                handler.response_serializer,
            )
        return grpc.unary_stream_rpc_method_handler(
            answer,
            None,
            handler.response_serializer,
        )

    async def _unknown(self, _: object, context: Context) -> None:
        async with self._call(UNKNOWN, context, known=False):
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "there is no such method")

    @asynccontextmanager
    async def _call(
        self,
        method: str,
        context: Context,
        *,
        known: bool = True,
    ) -> AsyncIterator[None]:
        started = time.perf_counter()
        headers = _headers(context)
        code = None
        with incoming(headers), deadline(context.time_remaining()):
            try:
                correlation = (CORRELATION_HEADER, outgoing()[CORRELATION_HEADER])
                await context.send_initial_metadata((correlation,))
                with await self._admit(method, headers, known=known):
                    yield
            except Failure as failure:
                await _abort(context, refusal(failure))
            except asyncio.CancelledError:
                code = "CANCELLED" if context.time_remaining() else "DEADLINE_EXCEEDED"
                raise
            except grpc.aio.AbortError:
                raise
            except Exception:
                log.exception("request.failed")
                await _abort(context, internal_error())
            finally:
                _record(method, code or _code(context), time.perf_counter() - started)

    async def _admit(
        self,
        method: str,
        headers: Mapping[str, str],
        *,
        known: bool,
    ) -> AbstractContextManager[None]:
        if method in self._open:
            return nullcontext()
        caller = await self._verifier.verify(bearer(headers.get("authorization")))
        # The token alone says whose data this is about. Who names another tenant is mistaken about
        # where it writes, and must hear of it.
        if headers.get(TENANT, caller.tenant) != caller.tenant:
            raise TenantMismatch("the access token is for another tenant")
        if known:
            scope = self._scopes.get(method)
            if scope is None:
                raise MethodClosed("nobody may call this method")
            require(caller, scope)
        return called_by(caller)


def _read(handler: Handler, request: Any) -> Any:
    if handler.request_streaming or handler.request_deserializer is None:
        return request
    try:
        return handler.request_deserializer(request)
    except DecodeError:
        raise MalformedMessage("the request is not the message that the method takes") from None


def _headers(context: Context) -> dict[str, str]:
    """Return the call's metadata; what stands there twice for two readers to differ is left out."""
    headers: dict[str, str] = {}
    twice: set[str] = set()
    for name, value in context.invocation_metadata() or ():
        if isinstance(value, str):
            if name in headers:
                twice.add(name)
            headers[name] = value
    return {name: value for name, value in headers.items() if name not in twice}


async def _abort(context: Context, told: Refusal) -> NoReturn:
    await context.abort(told.code, told.message, told.metadata())


def _code(context: Context) -> str:
    code: Any = context.code()
    return code.name if isinstance(code, grpc.StatusCode) else names.get(code or 0, "UNKNOWN")


def _record(method: str, code: str, seconds: float) -> None:
    labels = ("grpc", "call", method, code)
    REQUESTS.labels(*labels).inc()
    REQUEST_DURATION.labels(*labels).observe(seconds)
    log.info(
        "request.finished",
        method=labels[1],
        route=method,
        status=code,
        duration_ms=round(seconds * 1000, 1),
    )
