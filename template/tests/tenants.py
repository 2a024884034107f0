"""Two tenants who must never meet."""

from acme_orders.platform.domain import tenant_id

NORTH = tenant_id("north")
SOUTH = tenant_id("south")
