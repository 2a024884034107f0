"""Take away what PostgreSQL lets everyone do, and let the service's roles in."""

from alembic import op

from acme_orders.platform.postgres.tenancy import APP
from acme_orders.platform.postgres.tenancy import WORKER

revision = "0001"
down_revision = None

UPGRADE = (
    f"""
    DO $$ BEGIN
        EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO {APP}, {WORKER}', current_database());
    END $$
    """,
    "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    f"GRANT USAGE ON SCHEMA public TO {APP}, {WORKER}",
    "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
)
DOWNGRADE = (
    "ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
    f"REVOKE USAGE ON SCHEMA public FROM {APP}, {WORKER}",
    "GRANT USAGE ON SCHEMA public TO PUBLIC",
    f"""
    DO $$ BEGIN
        EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM {APP}, {WORKER}', current_database());
        EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO PUBLIC', current_database());
    END $$
    """,
)


def upgrade() -> None:
    for statement in UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWNGRADE:
        op.execute(statement)
