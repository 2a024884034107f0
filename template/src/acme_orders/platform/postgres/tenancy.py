"""Who may see which rows: the database's roles, and the policies of a table that tenants share."""

PACKAGE = __name__.partition(".")[0]
"""Roles belong to the whole cluster, not to one database, so they carry the service's name."""

OWNER = f"{PACKAGE}_owner"
"""Owns the tables and migrates them; its policy shows it every row, or data would not migrate."""
APP = f"{PACKAGE}_app"
"""Answers callers; sees the rows of one tenant, in a transaction that names it."""
WORKER = f"{PACKAGE}_worker"
"""Works off queues, whose rows it sees of every tenant; elsewhere it is as narrow as the app."""
