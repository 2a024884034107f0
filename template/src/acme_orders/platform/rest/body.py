"""Reads a request's body up to a limit, before anything works on it."""

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message
from starlette.types import Receive

from acme_orders.platform.rest.problems import BodyTooLarge
from acme_orders.platform.rest.problems import UnsupportedMediaType


async def read_body(headers: Headers, receive: Receive, limit: int) -> Receive:
    """Return a `receive` that has the whole body at hand.

    Raises:
        BodyTooLarge: it has more bytes than `limit`, announced or sent.
        UnsupportedMediaType: there is a body, and it is not JSON.
        ClientDisconnect: the client went away.
    """
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise BodyTooLarge(f"the body is longer than {limit} bytes")
    chunks: list[bytes] = []
    length = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        length += len(chunk)
        if length > limit:
            raise BodyTooLarge(f"the body is longer than {limit} bytes")
        chunks.append(chunk)
        more = message.get("more_body", False)
    if length and not _is_json(headers.get("content-type", "")):
        raise UnsupportedMediaType("the body must be application/json")
    return _replay(b"".join(chunks), receive)


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


def _replay(body: bytes, receive: Receive) -> Receive:
    unread = True

    async def replay() -> Message:
        nonlocal unread
        if unread:
            unread = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay
