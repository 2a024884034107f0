"""Two tenants who must never meet, and a table that they share."""

from acme_orders.platform.domain import tenant_id
from acme_orders.platform.postgres.tenancy import APP
from acme_orders.platform.postgres.tenancy import OWNER
from acme_orders.platform.postgres.tenancy import WORKER

NORTH = tenant_id("north")
SOUTH = tenant_id("south")

TOYS = f"""
DROP TABLE IF EXISTS toys;
CREATE TABLE toys (tenant text, id integer, name text DEFAULT 'bear', PRIMARY KEY (tenant, id));
ALTER TABLE toys ENABLE ROW LEVEL SECURITY;
ALTER TABLE toys FORCE ROW LEVEL SECURITY;
CREATE POLICY all_tenants ON toys TO {OWNER} USING (true);
CREATE POLICY one_tenant ON toys TO {APP}, {WORKER}
    USING (tenant = nullif(current_setting('app.tenant', true), ''));
GRANT SELECT, INSERT, UPDATE, DELETE ON toys TO {APP}, {WORKER};
INSERT INTO toys VALUES ('north', 1), ('north', 2), ('south', 1);
"""
