"""The composition root: the one module that knows every part of this service.

A flagged part is imported where it joins, so that its lines come and go as one block.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from contextlib import asynccontextmanager
from typing import Self

from acme_orders.platform.auth.tokens import TokenSettings
from acme_orders.platform.auth.tokens import TokenVerifier
from acme_orders.platform.postgres.databases import Databases
from acme_orders.platform.postgres.databases import DatabaseSettings
from acme_orders.platform.settings import Reader


class Settings:
    """What every process of this service reads from its environment."""

    def __init__(self, read: Reader) -> None:
        self.database = read(DatabaseSettings)
        self.tokens = read(TokenSettings)
        # {% if example %}
        from acme_orders.adapters.payments.provider import ProviderSettings
        from acme_orders.application.orders import OrderSettings
        # {% endif %}
        self.read_own(read)
