"""Keep orders, and the payments that are asked of the provider."""

from alembic import op

from acme_orders.platform.postgres.tenancy import APP
from acme_orders.platform.postgres.tenancy import OWNER
from acme_orders.platform.postgres.tenancy import WORKER

revision = "0001"
down_revision = None

UPGRADE = (
    """
    CREATE TABLE orders (
        tenant text NOT NULL,
        id uuid NOT NULL,
        version bigint NOT NULL,
        status text NOT NULL,
        customer_id uuid NOT NULL,
        currency text NOT NULL,
        lines jsonb NOT NULL,
        total bigint NOT NULL,
        placed_at timestamptz NOT NULL,
        payment_id uuid,
        refund_id uuid,
        tracking text,
        cancel_reason text,
        PRIMARY KEY (tenant, id)
    )
    """,
    "CREATE INDEX orders_newest ON orders (tenant, placed_at DESC, id DESC)",
    "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE orders FORCE ROW LEVEL SECURITY",
    f"CREATE POLICY all_tenants ON orders TO {OWNER} USING (true)",
    f"""
    CREATE POLICY one_tenant ON orders TO {APP}, {WORKER}
        USING (tenant = nullif(current_setting('app.tenant', true), ''))
    """,
    f"GRANT SELECT, INSERT, UPDATE ON orders TO {APP}, {WORKER}",
    # One round trip for the hottest read. The tenant is set before the query is planned: beside the
    # table, in one statement, the policy may be evaluated first and show another tenant's row.
    """
    CREATE FUNCTION get_order(tenant_ text, id_ uuid) RETURNS SETOF orders
    LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM set_config('app.tenant', tenant_, true);
        RETURN QUERY SELECT * FROM orders WHERE tenant = tenant_ AND id = id_;
    END
    $$
    """,
    f"GRANT EXECUTE ON FUNCTION get_order(text, uuid) TO {APP}, {WORKER}",
    """
    CREATE TABLE payments (
        tenant text NOT NULL,
        id uuid NOT NULL,
        order_id uuid NOT NULL,
        kind text NOT NULL,
        amount bigint NOT NULL,
        currency text NOT NULL,
        state text NOT NULL,
        attempts bigint NOT NULL,
        next_attempt_at timestamptz NOT NULL,
        requested_at timestamptz NOT NULL,
        charge_id uuid,
        PRIMARY KEY (tenant, id)
    )
    """,
    "CREATE INDEX payments_due ON payments (next_attempt_at) WHERE state = 'pending'",
    "ALTER TABLE payments ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE payments FORCE ROW LEVEL SECURITY",
    f"CREATE POLICY all_tenants ON payments TO {OWNER}, {WORKER} USING (true)",
    f"""
    CREATE POLICY one_tenant ON payments TO {APP}
        USING (tenant = nullif(current_setting('app.tenant', true), ''))
    """,
    f"GRANT SELECT, INSERT, UPDATE ON payments TO {APP}, {WORKER}",
)


def upgrade() -> None:
    for statement in UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP FUNCTION get_order(text, uuid)")
    op.execute("DROP TABLE payments")
    op.execute("DROP TABLE orders")
