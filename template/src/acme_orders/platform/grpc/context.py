"""What a gRPC handler, and the calls that it makes, know of the call that they serve."""

from asyncio import get_running_loop
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from acme_orders.platform.domain import Caller

_caller: ContextVar[Caller] = ContextVar("caller")
_ends: ContextVar[float | None] = ContextVar("ends", default=None)


def current_caller() -> Caller:
    """Return who calls. Only the methods that are open to everybody have no caller."""
    return _caller.get()


def time_left() -> float | None:
    """Return the seconds until the caller stops waiting; None where it waits for ever."""
    ends = _ends.get()
    return None if ends is None else max(0.0, ends - get_running_loop().time())


@contextmanager
def deadline(seconds: float | None) -> Iterator[None]:
    """Let `time_left` count down from here while the block runs."""
    token = _ends.set(None if seconds is None else get_running_loop().time() + seconds)
    try:
        yield
    finally:
        _ends.reset(token)


@contextmanager
def called_by(caller: Caller) -> Iterator[None]:
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)
