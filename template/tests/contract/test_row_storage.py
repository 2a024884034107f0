"""Rows keep the storage contract."""

import pytest

from acme_orders.adapters.postgres.order_rows import RowStorage
from acme_orders.adapters.postgres.payments import DuePayments
from acme_orders.platform.postgres.databases import Databases

from tests.contract.storage import StorageContract


class TestRowStorage(StorageContract):
    @pytest.fixture
    def storage(self, databases: Databases) -> RowStorage:
        return RowStorage(databases)

    @pytest.fixture
    def queue(self, worker_databases: Databases) -> DuePayments:
        return DuePayments(worker_databases)
