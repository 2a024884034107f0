"""What goes with a call from its arrival to the calls it makes: its trace and correlation id."""

import re
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import uuid4

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bind_contextvars
from structlog.contextvars import clear_contextvars
from structlog.contextvars import get_contextvars

from acme_orders.platform.domain import TenantId

CORRELATION_HEADER = "x-correlation-id"

# It comes from strangers, and stands in our logs and headers.
CORRELATION = re.compile(r"[A-Za-z0-9._-]{1,64}")

_correlation: ContextVar[str | None] = ContextVar("correlation_id", default=None)
_propagator = TraceContextTextMapPropagator()


@contextmanager
def incoming(headers: Mapping[str, str]) -> Iterator[None]:
    """Take over the caller's trace and correlation id, and make an id where there is none.

    Inside the block every log line carries `correlation_id`, and `trace_id` if there is a trace.

    Args:
        headers: of the call, with names in lower case.
    """
    given = headers.get(CORRELATION_HEADER, "")
    correlation = given if CORRELATION.fullmatch(given) else uuid4().hex
    names = ("traceparent", "tracestate")
    carrier = {name: headers[name] for name in names if name in headers}
    context = _propagator.extract(carrier, contexts.Context())
    fields = {"correlation_id": correlation}
    span = trace.get_current_span(context).get_span_context()
    if span.is_valid:
        fields["trace_id"] = trace.format_trace_id(span.trace_id)

    # What was bound before the call belongs to another one: its tenant must not stand here.
    before = get_contextvars()
    clear_contextvars()
    bind_contextvars(**fields)
    attached = contexts.attach(context)
    token = _correlation.set(correlation)
    try:
        yield
    finally:
        _correlation.reset(token)
        contexts.detach(attached)
        clear_contextvars()
        bind_contextvars(**before)


def outgoing() -> dict[str, str]:
    """Return the headers that carry the current trace and correlation id on to another service."""
    headers: dict[str, str] = {}
    _propagator.inject(headers)
    correlation = _correlation.get()
    if correlation is not None:
        headers[CORRELATION_HEADER] = correlation
    return headers


def correlation_id() -> str | None:
    """Return the current call's id."""
    return _correlation.get()


def bind_tenant(tenant: TenantId) -> None:
    """Let the current call's log lines name the tenant."""
    bind_contextvars(tenant=tenant)
