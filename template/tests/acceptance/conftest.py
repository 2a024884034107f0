"""The service under acceptance: the real parts on a real database, and what surrounds them."""

from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from dataclasses import replace
from datetime import UTC
from datetime import datetime
from datetime import timedelta

import pytest

from acme_orders.bootstrap import Service
from acme_orders.bootstrap import Settings
from acme_orders.bootstrap import assemble
from acme_orders.entrypoints.worker.payments import settle_due
from acme_orders.platform.settings import reading

from dev.issuer import Issuer
from dev.postgres import URLs
from dev.provider import Simulator
from tests.acceptance.scenarios import CANCEL_LIMIT

CALL_DEADLINE = timedelta(seconds=1)
"""One scenario waits for it to pass, and no other may."""


@dataclass(frozen=True, slots=True)
class Running:
    service: Service
    issuer: Issuer
    provider: Simulator
    settle: Callable[[], Awaitable[None]]


@pytest.fixture(scope="session")
async def parts(anyio_backend: str, migrated: URLs) -> AsyncIterator[Running]:
    """The parts, made once a run."""
    issuer = Issuer()
    provider = Simulator()
    async with AsyncExitStack() as stack:
        issuer_url = await stack.enter_async_context(issuer.serve())
        provider_url = await stack.enter_async_context(provider.serve())

        async def start(database_url: str) -> Service:
            with pytest.MonkeyPatch.context() as environment, reading() as read:
                environment.setenv("DATABASE_URL", database_url)
                environment.setenv("OIDC_ISSUER", issuer_url)
                environment.setenv("OIDC_AUDIENCE", issuer.audience)
                environment.setenv("PAYMENTS_URL", provider_url)
                environment.setenv("PAYMENTS_CALL_DEADLINE", str(CALL_DEADLINE.total_seconds()))
                environment.setenv("CANCEL_LIMIT", str(CANCEL_LIMIT))
                settings = Settings(read)
            return await stack.enter_async_context(assemble(settings))

        service = await start(migrated.app)
        worker = await start(migrated.worker)

        async def settle() -> None:
            tomorrow = replace(worker.orders, now=lambda: datetime.now(UTC) + timedelta(days=1))
            while await settle_due(tomorrow, worker.due_payments):
                pass

        yield Running(service, issuer, provider, settle)


@pytest.fixture
async def running(parts: Running, database_urls: URLs) -> Running:
    """The parts, with no order, and with a provider that pays everything and remembers nothing."""
    fresh = Simulator()
    parts.provider.charges, parts.provider.refunds = fresh.charges, fresh.refunds
    parts.provider.ledger.clear()
    parts.provider.calls.clear()
    return parts
