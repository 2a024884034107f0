# ruff: noqa: T201  a command talks to whoever runs it
"""Bring the database to the revisions that this image knows; `--help` says what else it does.

Exit codes: 0 done, 1 the database did not do as it was told, 2 the settings are wrong.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from collections.abc import Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
from alembic.util import CommandError
from pydantic import Field
from pydantic_settings import BaseSettings
from sqlalchemy import Connection
from sqlalchemy import inspect
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from acme_orders.platform.postgres.databases import PostgresURL
from acme_orders.platform.postgres.databases import TenantPlaces
from acme_orders.platform.postgres.databases import own_databases
from acme_orders.platform.postgres.revisions import VERSIONS
from acme_orders.platform.postgres.revisions import Owner
from acme_orders.platform.postgres.revisions import current
from acme_orders.platform.postgres.revisions import move
from acme_orders.platform.postgres.revisions import owners
from acme_orders.platform.postgres.revisions import write_revision
from acme_orders.platform.postgres.tenancy import APP
from acme_orders.platform.postgres.tenancy import WORKER
from acme_orders.platform.settings import InvalidSettings
from acme_orders.platform.settings import reading

CONNECT_WITHIN = timedelta(seconds=10)
LOOK_AGAIN_EVERY = timedelta(seconds=0.5)
WAIT_AT_MOST = timedelta(minutes=5)
LOCK = 7_305_184
"""Whoever migrates holds this advisory lock, so that two at once do it one after the other."""
LOCK_TIMEOUT = timedelta(seconds=5)
"""A revision that waits for a table makes everybody queue behind it: better fail, and try again."""


class MigrationFailed(Exception):
    """The message is one line for whoever ran the command."""


class MigrationSettings(BaseSettings):
    migrations_database_url: PostgresURL
    database_tenants: TenantPlaces = Field(default_factory=dict)


class WaitSettings(BaseSettings):
    """Waiting only reads, so it makes do with what the waiting process connects with anyway."""

    database_url: PostgresURL
    database_tenants: TenantPlaces = Field(default_factory=dict)


def upgrade(url: str) -> list[str]:
    """Upgrade every owner in one database, core first; return what there is to tell."""
    return asyncio.run(_upgrade(url))


async def _upgrade(url: str) -> list[str]:
    async with _connected(url) as connection:
        await connection.execute(text(f"SELECT pg_advisory_lock({LOCK})"))
        await connection.execute(text(f"SET lock_timeout = {LOCK_TIMEOUT // _MILLISECOND}"))
        await connection.commit()
        told = [await connection.run_sync(_upgrade_owner, owner) for owner in owners()]
        return told + await connection.run_sync(_tell_of_the_gone)


def _upgrade_owner(connection: Connection, owner: Owner) -> str:
    before = current(connection, owner)
    if before and not owner.knows(before):
        return f"{owner.name}: at {before}, newer than what this image knows; left alone"
    connection.rollback()
    move(connection, owner, "head")
    connection.execute(text(f"GRANT SELECT ON {owner.version_table} TO {APP}, {WORKER}"))
    connection.commit()
    return f"{owner.name}: {before or 'empty'} -> {owner.head}"


def _tell_of_the_gone(connection: Connection) -> list[str]:
    known = {owner.version_table for owner in owners()}
    there = (name for name in inspect(connection).get_table_names() if name.startswith(VERSIONS))
    return [
        f"{name.removeprefix(VERSIONS)}: its revisions are gone; its tables are left alone"
        for name in sorted(set(there) - known)
    ]


async def missing(url: str) -> list[str]:
    """Return the owners that are behind what this image knows. A newer revision is accepted."""
    seconds = CONNECT_WITHIN.total_seconds()
    connection = await asyncpg.connect(url, timeout=seconds, command_timeout=seconds)
    try:
        return [owner.name for owner in owners() if await _behind(connection, owner)]
    finally:
        await connection.close()


async def _behind(connection: "asyncpg.Connection[asyncpg.Record]", owner: Owner) -> bool:
    try:
        query = f"SELECT version_num FROM {owner.version_table}"  # noqa: S608  a folder's name
        there = await connection.fetchval(query)
    except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
        return True
    return there is None or (owner.knows(there) and there != owner.head)


async def wait(urls: Sequence[str], at_most: timedelta) -> None:
    """Return when no database lacks a revision. Raises `MigrationFailed` if that takes too long."""
    until = time.monotonic() + at_most.total_seconds()
    for url in urls:
        while why := await _not_yet(url):
            if time.monotonic() >= until:
                raise MigrationFailed(f"still waiting after {at_most}: {why}")
            await asyncio.sleep(LOOK_AGAIN_EVERY.total_seconds())


async def _not_yet(url: str) -> str:
    try:
        behind = await missing(url)
    except (OSError, asyncpg.PostgresError) as error:
        return _line(error)
    return f"revisions are missing of {', '.join(behind)}" if behind else ""


async def draft(url: str, name: str, message: str) -> str:
    """Write a revision of the owner from the difference between its metadata and the database."""
    everyone = owners()
    owner = next((each for each in everyone if each.name == name), None)
    if owner is None:
        raise MigrationFailed(f"no owner {name}; there are {', '.join(e.name for e in everyone)}")
    async with _connected(url) as connection:
        if await connection.run_sync(current, owner) != owner.head:
            raise MigrationFailed(f"the database is not at {name}'s last revision: migrate first")
        return str(await connection.run_sync(write_revision, owner, message, everyone))


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[AsyncConnection]:
    # By asyncpg's own reading of the URL, so that TLS and the rest mean what they mean elsewhere.
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: asyncpg.connect(url, timeout=CONNECT_WITHIN.total_seconds()),
        poolclass=NullPool,
    )
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


_MILLISECOND = timedelta(milliseconds=1)


def _line(error: BaseException) -> str:
    reason = str(getattr(error, "orig", None) or error) or type(error).__name__
    return " ".join(reason.split())


def _seconds(text: str) -> timedelta:
    return timedelta(seconds=float(text))


def _run(arguments: argparse.Namespace) -> None:
    if arguments.wait is not None:
        with reading() as read:
            waiting = read(WaitSettings)
        url, tenants = waiting.database_url.get_secret_value(), waiting.database_tenants
        asyncio.run(wait([url, *own_databases(url, tenants).values()], arguments.wait))
        return
    with reading() as read:
        settings = read(MigrationSettings)
    url = settings.migrations_database_url.get_secret_value()
    if arguments.revision:
        print(asyncio.run(draft(url, *arguments.revision)))
        return
    for each in [url, *own_databases(url, settings.database_tenants).values()]:
        print(*upgrade(each), sep="\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--wait",
        nargs="?",
        type=_seconds,
        const=WAIT_AT_MOST,
        metavar="SECONDS",
        help="change nothing; wait until the database of DATABASE_URL has every revision",
    )
    what.add_argument(
        "--revision",
        nargs=2,
        metavar=("OWNER", "MESSAGE"),
        help="write a new revision of the owner, from its metadata and the database",
    )
    try:
        _run(parser.parse_args())
    except InvalidSettings as wrong:
        print(wrong, file=sys.stderr)
        return 2
    except (MigrationFailed, CommandError, DBAPIError, asyncpg.PostgresError, OSError) as error:
        print(f"migrate: {_line(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
