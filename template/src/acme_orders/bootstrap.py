"""The composition root: the one module that knows every part of this service.

A flagged part is imported where it joins, so that its lines come and go as one block.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from contextlib import asynccontextmanager

from acme_orders.platform.auth.tokens import TokenSettings
from acme_orders.platform.auth.tokens import TokenVerifier
from acme_orders.platform.postgres.databases import Databases
from acme_orders.platform.postgres.databases import DatabaseSettings
from acme_orders.platform.settings import Reader


class Settings:
    """What every process reads from its environment; a process adds its own."""

    def __init__(self, read: Reader) -> None:
        self.database = read(DatabaseSettings)
        # {% if example %}
        from acme_orders.adapters.payments.provider import ProviderSettings

        self.provider = read(ProviderSettings)
        # {% endif %}
        self.tokens = read(TokenSettings)


class Service:
    """The parts, put together: what the entrypoints are given."""

    async def open(self, settings: Settings, stack: AsyncExitStack) -> None:
        """Make every part; the stack closes them, the last one first."""
        self.databases = await stack.enter_async_context(Databases.open(settings.database))
        # {% if example %}
        from acme_orders.adapters.payments.notices import notice
        from acme_orders.adapters.payments.provider import HttpPaymentProvider
        from acme_orders.adapters.postgres.order_rows import RowStorage
        from acme_orders.adapters.postgres.payments import DuePayments
        from acme_orders.application.orders import OrderService
        from acme_orders.application.orders import Rules

        self.orders = OrderService(
            storage=RowStorage(self.databases),
            provider=await stack.enter_async_context(HttpPaymentProvider.open(settings.provider)),
            rules=Rules(settings.provider.cancel_limit, settings.provider.payments_call_deadline),
            notice=notice,
        )
        self.due_payments = DuePayments(self.databases)
        # {% endif %}
        self.tokens = await stack.enter_async_context(TokenVerifier.open(settings.tokens))


@asynccontextmanager
async def assemble(settings: Settings) -> AsyncIterator[Service]:
    """Open the service's parts, and close them when the block ends."""
    service = Service()
    async with AsyncExitStack() as stack:
        await service.open(settings, stack)
        yield service
