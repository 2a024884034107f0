"""The composition root: the one module that knows every part of this service.

A flagged part is imported where it joins, so that its lines come and go as one block.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from acme_orders.platform.auth.tokens import TokenSettings
from acme_orders.platform.auth.tokens import TokenVerifier
from acme_orders.platform.postgres.databases import Databases
from acme_orders.platform.postgres.databases import DatabaseSettings
from acme_orders.platform.settings import Reader
