"""Looks for ways in which one tenant could see another's rows, in whatever tables there are."""

import asyncpg

from acme_orders.platform.postgres.tenancy import APP
from acme_orders.platform.postgres.tenancy import OWNER
from acme_orders.platform.postgres.tenancy import WORKER

ROLES = """
SELECT rolname || ' may pass by the policies' FROM pg_roles
WHERE rolname = any($1) AND (rolsuper OR rolbypassrls OR rolcreaterole)
"""
MEMBERS = """
SELECT member::regrole || ' may act as ' || roleid::regrole FROM pg_auth_members
WHERE member::regrole::text = any($1)
"""
SHARED_TABLES = """
SELECT c.oid, c.relname, c.relrowsecurity AND c.relforcerowsecurity AS forced
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
  AND a.attname = 'tenant' AND NOT a.attisdropped
"""
POLICIES = """
SELECT polname, polpermissive, coalesce(pg_get_expr(polqual, polrelid), '') AS sees,
    coalesce(pg_get_expr(polwithcheck, polrelid), '') AS writes,
    (SELECT array_agg(CASE r WHEN 0 THEN 'public' ELSE r::regrole::text END)
     FROM unnest(polroles) r) AS roles
FROM pg_policy WHERE polrelid = $1
"""
BEHIND_THEM = """
SELECT relname || ' shows rows by its owner''s policies' FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm')
  AND NOT coalesce(reloptions @> '{security_invoker=true}', false)
UNION ALL
SELECT proname || ' runs as its owner' FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND prosecdef
  AND (has_function_privilege($1, oid, 'EXECUTE') OR has_function_privilege($2, oid, 'EXECUTE'))
"""
ONE_TENANT = "(tenant = NULLIF(current_setting('app.tenant'::text, true), ''::text))"


async def leaks(owner: "asyncpg.Connection[asyncpg.Record]") -> list[str]:
    """Return a line for each way that is open; none, if every table is as it must be."""
    roles = [OWNER, APP, WORKER]
    found = [row[0] for query in (ROLES, MEMBERS) for row in await owner.fetch(query, roles)]
    found += [row[0] for row in await owner.fetch(BEHIND_THEM, APP, WORKER)]
    for table in await owner.fetch(SHARED_TABLES):
        if not table["forced"]:
            found.append(f"{table['relname']} does not force its policies")
        found += _open(table["relname"], await owner.fetch(POLICIES, table["oid"]))
    return found


def _open(table: str, policies: list[asyncpg.Record]) -> list[str]:
    own = [each for each in policies if {APP, "public"} & set(each["roles"])]
    if not own:
        return [f"{table} has no policy for {APP}"]
    return [
        f"{table}: {each['polname']} lets {APP} pass by {each['sees']}"
        for each in own
        if each["sees"] != ONE_TENANT or each["writes"] not in ("", ONE_TENANT)
    ]
