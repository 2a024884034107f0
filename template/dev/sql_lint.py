"""Refuses revisions that old processes would not survive: expand first, contract later."""

import json
import subprocess
import sysconfig
from pathlib import Path

from acme_orders.platform.postgres.revisions import Revision

EXCLUDED = (
    # `migrate` sets a lock timeout for every revision; a backfill may take its time.
    "require-lock-timeout",
    "require-statement-timeout",
    # A revision is a transaction: all of it is there, or nothing. IF EXISTS would hide a mistake.
    "prefer-robust-stmts",
    # An index is built concurrently outside a transaction, in Alembic's autocommit block.
    "transaction-nesting",
)
CONTRACTING = ("ban-drop-", "renaming-", "adding-not-nullable-", "adding-required-")
"""What breaks processes of an older release, and nothing else once no such process runs. Statements
that lock a table for long (building an index, rewriting a column) are refused in any case."""


def lint(revision: Revision) -> list[str]:
    """Return what is wrong with the revision's SQL, by squawk.

    A revision may take away what a release has stopped using, by naming that release at its top:
    `contracts = "v1.4.0"`.
    """
    answer = subprocess.run(
        [
            Path(sysconfig.get_path("scripts"), "squawk"),
            "--reporter=json",
            "--pg-version=18.0",
            "--assume-in-transaction",
            *(f"--exclude={rule}" for rule in EXCLUDED),
        ],
        input=revision.sql(),
        capture_output=True,
        text=True,
        check=False,
    )
    if not answer.stdout.strip():
        raise RuntimeError(answer.stderr)
    return [
        f"{revision.owner.name} {revision.revision}: {found['rule_name']}: {found['message']}"
        for found in json.loads(answer.stdout)
        if not (revision.contracts and found["rule_name"].startswith(CONTRACTING))
    ]
