"""A simulator of the payment provider: books each charge and refund once, and fails when told.

`python -m dev.provider --port 8900` runs it alone. While it runs:

- `curl localhost:8900/ledger` shows the money taken and given back for each charge;
- `curl -X PUT localhost:8900/behaviour -d '{"charges": "hang"}'` changes what it does next:
  `ok`, `decline`, `fail` (500, nothing booked), `hang` (booked, never answered),
  `slow` (booked, answered late);
- a charge whose amount ends in 402 is declined whatever it has been told.
"""

import argparse
import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from enum import StrEnum
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.responses import Response
from starlette.routing import Route

from dev.serving import serving
from dev.serving import until_told_to_stop

PREFERRED_PORT = 8900
DECLINED_ENDING = 402
"""The status of HTTP for "payment required": an amount that ends in it is declined."""


def provides(url: str) -> dict[str, str]:
    """Return what processes read to find it."""
    return {"PAYMENTS_URL": url}


class Behaviour(StrEnum):
    OK = "ok"
    DECLINE = "decline"
    FAIL = "fail"
    HANG = "hang"
    SLOW = "slow"


@dataclass
class Booking:
    """What one charge took, and what refunds gave back of it, in minor units."""

    currency: str
    reference: str
    taken: int = 0
    returned: int = 0


@dataclass
class Simulator:
    charges: Behaviour = Behaviour.OK
    refunds: Behaviour = Behaviour.OK
    delay: float = 2.0
    """How many seconds `slow` takes."""
    ledger: dict[str, Booking] = field(default_factory=dict)
    """By the charge's id."""
    calls: list[str] = field(default_factory=list)
    """The idempotency key of every call, repeats included."""
    headers: list[dict[str, str]] = field(default_factory=list)
    """The headers of every call, as they came."""

    def __post_init__(self) -> None:
        self._answers: dict[str, tuple[object, str]] = {}
        self._stopping = asyncio.Event()
        self.app = Starlette(
            routes=[
                Route("/v1/charges", self._charge, methods=["POST"]),
                Route("/v1/refunds", self._refund, methods=["POST"]),
                Route("/ledger", self._show_ledger),
                Route("/behaviour", self._show_behaviour, methods=["GET"]),
                Route("/behaviour", self._change_behaviour, methods=["PUT"]),
            ],
        )

    @contextlib.asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Serve it over HTTP, at the URL that the block gets; port 0 is a free one."""
        self._stopping.clear()
        async with serving(self.app, host, port) as url:
            try:
                yield url
            finally:
                self._stopping.set()

    async def _charge(self, request: Request) -> Response:
        return await self._answer(request, self.charges, self._book_charge)

    async def _refund(self, request: Request) -> Response:
        return await self._answer(request, self.refunds, self._book_refund)

    async def _answer(
        self,
        request: Request,
        behaviour: Behaviour,
        book: Callable[[str, dict[str, Any], bool], str],
    ) -> Response:
        key = request.headers.get("idempotency-key")
        if not key:
            return _problem(400, "the header Idempotency-Key is missing")
        self.calls.append(key)
        self.headers.append(dict(request.headers))
        if behaviour is Behaviour.FAIL:
            return _problem(500, "told to fail")
        body = await request.json()
        # The path belongs to the call: a charge's key is not free for a refund.
        call = (request.url.path, body)
        # A refund that was refused moved no money, and may be granted when it is asked for again.
        if self._answers.get(key, (call, "refused")) == (call, "refused"):
            status = book(key, body, behaviour is Behaviour.DECLINE)
            self._answers[key] = (call, status)
        known, status = self._answers[key]
        if known != call:
            return _problem(422, "this Idempotency-Key came with another call before")
        if behaviour is Behaviour.SLOW:
            await asyncio.sleep(self.delay)
        if behaviour is Behaviour.HANG:
            await self._hang(request.receive)
        return JSONResponse({"id": key, "status": status})

    def _book_charge(self, key: str, body: dict[str, Any], decline: bool) -> str:
        if decline or body["amount"] % 1000 == DECLINED_ENDING:
            return "declined"
        self.ledger[key] = Booking(body["currency"], body["reference"], taken=body["amount"])
        return "paid"

    def _book_refund(self, _key: str, body: dict[str, Any], decline: bool) -> str:
        booking = self.ledger.get(body["charge"])
        if decline or booking is None or booking.returned + body["amount"] > booking.taken:
            return "refused"
        booking.returned += body["amount"]
        return "refunded"

    async def _hang(self, receive: Callable[[], Awaitable[Any]]) -> None:
        gone = asyncio.create_task(_disconnected(receive))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({gone, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            stopping.cancel()

    async def _show_ledger(self, _request: Request) -> Response:
        return JSONResponse({key: asdict(booking) for key, booking in self.ledger.items()})

    async def _show_behaviour(self, _request: Request) -> Response:
        return JSONResponse({"charges": self.charges, "refunds": self.refunds})

    async def _change_behaviour(self, request: Request) -> Response:
        try:
            wanted = {key: Behaviour(value) for key, value in (await request.json()).items()}
        except (ValueError, AttributeError):
            return _problem(422, f"expected one of {', '.join(Behaviour)}")
        if not wanted.keys() <= {"charges", "refunds"}:
            return _problem(422, "expected charges, refunds, or both")
        self.charges = wanted.get("charges", self.charges)
        self.refunds = wanted.get("refunds", self.refunds)
        return await self._show_behaviour(request)


async def _disconnected(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _problem(status: int, detail: str) -> Response:
    return JSONResponse({"status": status, "detail": detail}, status_code=status)


async def main(host: str, port: int) -> None:
    async with Simulator().serve(host, port) as url:
        print(json.dumps({"event": "provider.started", "url": url}), flush=True)
        await until_told_to_stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run the payment provider's simulator.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PREFERRED_PORT, help="0 takes a free one")
    options = parser.parse_args()
    asyncio.run(main(options.host, options.port))
