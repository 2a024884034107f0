"""The tables of orders and payments, as the latest revision leaves them."""

from sqlalchemy import BigInteger
from sqlalchemy import Column
from sqlalchemy import DateTime
from sqlalchemy import Index
from sqlalchemy import MetaData
from sqlalchemy import Table
from sqlalchemy import Text
from sqlalchemy import Uuid
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB

orders_metadata = MetaData()

orders = Table(
    "orders",
    orders_metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("customer_id", Uuid, nullable=False),
    Column("currency", Text, nullable=False),
    Column("lines", JSONB, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False),
    Column("payment_id", Uuid),
    Column("refund_id", Uuid),
    Column("tracking", Text),
    Column("cancel_reason", Text),
)
Index(
    "orders_newest",
    orders.c.tenant,
    orders.c.placed_at.desc(),
    orders.c.id.desc(),
)

payments = Table(
    "payments",
    orders_metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("next_attempt_at", DateTime(timezone=True), nullable=False),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("charge_id", Uuid),
)
Index(
    "payments_due",
    payments.c.next_attempt_at,
    postgresql_where=text("state = 'pending'"),
)
