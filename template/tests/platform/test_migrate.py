"""Migrations: every owner's, there and back, two at once, and what they may not do."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import Column
from sqlalchemy import Integer
from sqlalchemy import MetaData
from sqlalchemy import Table

from acme_orders.platform.postgres.migrate import MigrationFailed
from acme_orders.platform.postgres.migrate import _connected
from acme_orders.platform.postgres.migrate import _upgrade
from acme_orders.platform.postgres.migrate import missing
from acme_orders.platform.postgres.migrate import wait
from acme_orders.platform.postgres.revisions import Owner
from acme_orders.platform.postgres.revisions import Revision
from acme_orders.platform.postgres.revisions import current
from acme_orders.platform.postgres.revisions import differences
from acme_orders.platform.postgres.revisions import move
from acme_orders.platform.postgres.revisions import owners
from acme_orders.platform.postgres.revisions import write_revision

from dev.postgres import URLs
from dev.sql_lint import lint

COMMAND = (sys.executable, "-m", _upgrade.__module__)
LEFT = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
AND relname NOT LIKE 'alembic\\_version%'
UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'default privileges' FROM pg_default_acl
"""
REVISIONS = [revision for owner in owners() for revision in owner.revisions()]


def names(revision: Revision) -> str:
    return f"{revision.owner.name}-{revision.revision}"


def a_revision(folder: Path, statement: str, contracts: str = "") -> Revision:
    folder.mkdir(parents=True)
    (folder / "0001_first.py").write_text(
        f"from alembic import op\nrevision = '0001'\ndown_revision = None\n{contracts}\n"
        f"def upgrade():\n    op.execute({statement!r})\n",
    )
    (revision,) = Owner("toys", folder, MetaData()).revisions()
    return revision


def test_core_comes_first() -> None:
    assert owners()[0].name == "core"


async def test_revisions_lead_to_the_metadata_and_back(
    anyio_backend: str,
    new_database: Callable[[], URLs],
) -> None:
    url = new_database().owner

    await _upgrade(url)
    async with _connected(url) as connection:
        for owner in owners():
            assert await connection.run_sync(differences, owner, owners()) == []
        for owner in reversed(owners()):
            await connection.rollback()
            await connection.run_sync(move, owner, "base")
            await connection.commit()
    owner_connection = await asyncpg.connect(url)
    left = await owner_connection.fetch(LEFT)
    await owner_connection.close()
    await _upgrade(url)

    assert left == []
    assert await missing(url) == []


async def test_two_at_once_do_it_one_after_the_other(
    anyio_backend: str,
    new_database: Callable[[], URLs],
) -> None:
    url = new_database().owner

    told = await asyncio.gather(_upgrade(url), _upgrade(url))

    assert sum("empty ->" in line for lines in told for line in lines) == len(owners())


async def test_what_is_newer_or_gone_is_left_alone_and_told(
    anyio_backend: str,
    new_database: Callable[[], URLs],
) -> None:
    urls = new_database()
    await _upgrade(urls.owner)
    connection = await asyncpg.connect(urls.owner)
    await connection.execute("UPDATE alembic_version_core SET version_num = '9999'")
    await connection.execute("CREATE TABLE alembic_version_gone (version_num text)")

    told = await _upgrade(urls.owner)

    assert "core: at 9999, newer than what this image knows; left alone" in told
    assert "gone: its revisions are gone; its tables are left alone" in told
    assert await missing(urls.app) == []
    await connection.close()


async def test_waiting_ends_when_every_revision_is_there(
    anyio_backend: str,
    new_database: Callable[[], URLs],
) -> None:
    urls = new_database()
    with pytest.raises(MigrationFailed, match="revisions are missing of core"):
        await wait([urls.app], timedelta(milliseconds=100))

    waiting = asyncio.create_task(wait([urls.app, urls.worker], timedelta(seconds=20)))
    await _upgrade(urls.owner)

    await waiting


async def test_a_draft_takes_the_database_to_the_metadata(
    anyio_backend: str,
    new_database: Callable[[], URLs],
    tmp_path: Path,
) -> None:
    metadata = MetaData()
    Table("toys", metadata, Column("id", Integer, primary_key=True))
    owner = Owner("toys", tmp_path, metadata)

    async with _connected(new_database().owner) as connection:
        path = await connection.run_sync(write_revision, owner, "Keep toys.")
        await connection.rollback()
        await connection.run_sync(move, owner, "head")
        assert await connection.run_sync(differences, owner) == []
        assert await connection.run_sync(current, owner) == "0001"

    assert path.name == "0001_keep_toys.py"


@pytest.mark.parametrize(
    ("environment", "code", "said"),
    [
        ({}, 2, "MIGRATIONS_DATABASE_URL"),
        ({"MIGRATIONS_DATABASE_URL": "postgresql://127.0.0.1:1/none"}, 1, "migrate: "),
    ],
)
def test_what_stands_in_the_way_is_one_line(
    environment: dict[str, str],
    code: int,
    said: str,
) -> None:
    path = os.pathsep.join(sys.path)

    answer = subprocess.run(
        COMMAND,
        env={"PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == code
    assert said in answer.stderr
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize("revision", REVISIONS, ids=names)
def test_old_processes_survive_every_revision(revision: Revision) -> None:
    assert lint(revision) == []


BREAKING = [
    ("ALTER TABLE toys DROP COLUMN name", "ban-drop-column"),
    ("DROP TABLE toys", "ban-drop-table"),
    ("ALTER TABLE toys RENAME TO games", "renaming-table"),
    ("ALTER TABLE toys RENAME COLUMN name TO title", "renaming-column"),
    ("ALTER TABLE toys ADD COLUMN age int NOT NULL", "adding-required-field"),
    ("ALTER TABLE toys ALTER COLUMN name SET NOT NULL", "adding-not-nullable-field"),
]
BLOCKING = ("CREATE INDEX by_name ON toys (name)", "require-concurrent-index-creation")


@pytest.mark.parametrize(("statement", "rule"), [*BREAKING, BLOCKING])
def test_a_revision_that_breaks_old_processes_is_refused(
    tmp_path: Path,
    statement: str,
    rule: str,
) -> None:
    found = lint(a_revision(tmp_path / "toys", statement))

    assert any(rule in line for line in found)


@pytest.mark.parametrize(("statement", "rule"), BREAKING)
def test_naming_the_release_that_stopped_using_it_permits_it(
    tmp_path: Path,
    statement: str,
    rule: str,
) -> None:
    found = lint(a_revision(tmp_path / "toys", statement, "contracts = 'v1.4.0'"))

    assert not any(rule in line for line in found)


def test_an_index_may_be_built_concurrently(tmp_path: Path) -> None:
    revision = a_revision(tmp_path / "toys", BLOCKING[0].replace("INDEX", "INDEX CONCURRENTLY"))

    assert lint(revision) == []


def test_no_release_permits_a_long_lock(tmp_path: Path) -> None:
    assert lint(a_revision(tmp_path / "toys", BLOCKING[0], "contracts = 'v1.4.0'"))
