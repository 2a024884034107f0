"""PostgreSQL through asyncpg: pools that wait for their database, transactions of one tenant."""

import asyncio
from collections.abc import AsyncIterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import AsyncExitStack
from contextlib import asynccontextmanager
from contextlib import suppress
from datetime import timedelta
from typing import Annotated
from typing import Self
from typing import TypeAlias
from urllib.parse import urlsplit

import asyncpg
from annotated_types import Ge
from annotated_types import Gt
from asyncpg.pool import PoolConnectionProxy
from pydantic import AfterValidator
from pydantic import Field
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from acme_orders.platform.domain import ConcurrentChange
from acme_orders.platform.domain import Failure
from acme_orders.platform.domain import Kind
from acme_orders.platform.domain import TenantId
from acme_orders.platform.domain import tenant_id
from acme_orders.platform.postgres.tenancy import PACKAGE
from acme_orders.platform.settings import Seconds

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

GRACE = timedelta(seconds=1)
"""How much longer than the server we wait for a statement, in case the network is gone."""
CLOSE_WITHIN = timedelta(seconds=5)


class DatabaseUnavailable(Failure):
    """The database does not answer in time. Asking again later may work."""

    kind = Kind.UNAVAILABLE


UNAVAILABLE = (
    # Refused, reset, no such host; and, as its subclass, TimeoutError.
    OSError,
    asyncpg.PostgresConnectionError,
    # Starting up, shutting down, statement cancelled by its time limit.
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
# What asyncpg says of a connection that was lost between two statements: that it is closed, or,
# until it has read so, that it is in no state for another statement.
LOST = (asyncpg.InterfaceError, asyncpg.InternalClientError)
CONCURRENT = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)


def _postgres_url(url: SecretStr) -> SecretStr:
    # The message must not repeat the URL: it holds the password.
    try:
        parts = urlsplit(url.get_secret_value())
        complete = parts.port != 0 and parts.hostname and parts.path.strip("/")
    except ValueError:
        complete = None
    if not complete or parts.scheme not in {"postgresql", "postgres"}:
        raise ValueError("must be of the form postgresql://user:password@host:port/database")
    return url


def _tenants(places: dict[str, str]) -> dict[str, str]:
    for tenant, place in places.items():
        try:
            tenant_id(tenant)
        except Failure as failure:
            raise ValueError(str(failure)) from failure
        host, _, database = place.partition("/")
        if not host or not database:
            raise ValueError(f"the place of {tenant} must be of the form host:port/database")
    return places


PostgresURL = Annotated[SecretStr, AfterValidator(_postgres_url)]
TenantPlaces = Annotated[dict[str, str], AfterValidator(_tenants)]
Limit = Annotated[Seconds, Gt(timedelta(0))]


class DatabaseSettings(BaseSettings):
    """Where the database is, and how long anything in it may take."""

    database_url: PostgresURL
    database_tenants: TenantPlaces = Field(default_factory=dict)
    """Tenants with a database of their own: `{"tenant": "host:port/database"}`, same roles."""
    database_pool_max: Annotated[int, Ge(1)] = 10
    database_acquire_timeout: Limit = timedelta(seconds=2)
    database_statement_timeout: Limit = timedelta(seconds=5)
    database_lock_timeout: Limit = timedelta(seconds=2)
    database_idle_in_transaction_timeout: Limit = timedelta(seconds=10)


def own_databases(url: str, tenants: Mapping[str, str]) -> dict[str, str]:
    """Return the URL of each tenant's own database: the common one's, at another host and name."""
    common = urlsplit(url)
    user, at, _ = common.netloc.rpartition("@")
    return {
        tenant: common._replace(
            netloc=user + at + place.partition("/")[0],
            path="/" + place.partition("/")[2],
        ).geturl()
        for tenant, place in tenants.items()
    }


class Database:
    """One database, over a pool that connects when it is first needed."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", acquire_timeout: timedelta) -> None:
        self._pool = pool
        self._acquire_timeout = acquire_timeout.total_seconds()

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, settings: DatabaseSettings) -> AsyncIterator[Self]:
        statement = settings.database_statement_timeout
        idle = settings.database_idle_in_transaction_timeout
        # Nothing is connected here: the process starts, and is alive, while the database is down.
        pool = await asyncpg.create_pool(
            url,
            init_size=0,
            min_size=0,
            max_size=settings.database_pool_max,
            reset=_nothing_to_reset,
            timeout=settings.database_acquire_timeout.total_seconds(),
            command_timeout=(statement + GRACE).total_seconds(),
            server_settings={
                "application_name": PACKAGE,
                "statement_timeout": _milliseconds(statement),
                "lock_timeout": _milliseconds(settings.database_lock_timeout),
                "idle_in_transaction_session_timeout": _milliseconds(idle),
            },
        )
        try:
            yield cls(pool, settings.database_acquire_timeout)
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_WITHIN.total_seconds()):
                    await pool.close()

    @asynccontextmanager
    async def transaction(self, tenant: TenantId) -> AsyncIterator[Connection]:
        """Run the block as one transaction that sees the rows of one tenant.

        Raises:
            InvalidTenant: the tenant's name is not fit to stand in SQL.
            DatabaseUnavailable: the database does not answer, or not in time.
            ConcurrentChange: the server cancelled it in favour of another transaction.
        """
        # One message, which takes no parameters; so the name's form is checked here once more.
        begin = f"BEGIN; SET LOCAL app.tenant = '{tenant_id(tenant)}'"
        async with self._connection() as connection, _begun(connection, begin):
            yield connection

    @asynccontextmanager
    async def queue(self) -> AsyncIterator[Connection]:
        """Run the block as one transaction of no tenant: what the worker's role does to its queues.

        Raises as `transaction` does.
        """
        async with self._connection() as connection, _begun(connection, "BEGIN"):
            yield connection

    async def fetchrow(self, query: str, *args: object) -> asyncpg.Record | None:
        """Return the first row of one statement, in one round trip. It names the tenant itself.

        Raises as `transaction` does.
        """
        async with self._connection() as connection:
            return await connection.fetchrow(query, *args)

    async def ready(self) -> None:
        """Raise `DatabaseUnavailable` if the database does not answer."""
        async with self._connection() as connection:
            await connection.execute("SELECT")

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """Lend a connection. This is the one place where the driver's errors become failures."""
        try:
            async with self._pool.acquire(timeout=self._acquire_timeout) as connection:
                try:
                    yield connection
                except LOST as error:
                    if isinstance(error, asyncpg.InternalClientError) or _is_lost(connection):
                        raise DatabaseUnavailable("the connection to the database broke") from error
                    raise
        except CONCURRENT as error:
            raise ConcurrentChange("somebody else changed the same thing") from error
        except UNAVAILABLE as error:
            raise DatabaseUnavailable("the database does not answer") from error


@asynccontextmanager
async def _begun(connection: Connection, begin: str) -> AsyncIterator[None]:
    try:
        await connection.execute(begin)
        yield
        await _commit(connection)
    except BaseException:
        await _roll_back(connection)
        raise


async def _commit(connection: Connection) -> None:
    # The server answers ROLLBACK, and no error, to the COMMIT of a transaction that had failed.
    if await connection.execute("COMMIT") != "COMMIT":
        raise RuntimeError("a statement failed, and the block went on as if it had not")


async def _roll_back(connection: Connection) -> None:
    """Leave no transaction open, whatever happened; the server ends what a lost one leaves."""
    try:
        if connection.is_in_transaction():
            await connection.execute("ROLLBACK")
    except Exception:  # noqa: BLE001  the first error is the one to tell
        _terminate(connection)
    except BaseException:
        _terminate(connection)
        raise


def _is_lost(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        # The pool has taken a lost connection back already.
        return True


def _terminate(connection: Connection) -> None:
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


async def _nothing_to_reset(_: object) -> None:
    """Save the round trip that resets a connection when it goes back to its pool.

    What replaces it: all that is ever set is `SET LOCAL` or `set_config(…, true)`, which end with
    their transaction; `_begun` ends every transaction; and before this is called, asyncpg itself
    rolls back one that is still open. Nothing here listens, keeps locks or makes temporary tables.
    """


def _milliseconds(limit: timedelta) -> str:
    return str(max(1, round(limit.total_seconds() * 1000)))


class Databases:
    """Every database of the service: one for most tenants, and those that a tenant has alone."""

    def __init__(self, common: Database, own: Mapping[str, Database]) -> None:
        self._common = common
        self._own = own

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: DatabaseSettings) -> AsyncIterator[Self]:
        """Make the pools; they are closed when the block ends. No database needs to be up yet."""
        url = settings.database_url.get_secret_value()
        async with AsyncExitStack() as stack:
            common = await stack.enter_async_context(Database.open(url, settings))
            yield cls(
                common,
                {
                    tenant: await stack.enter_async_context(Database.open(own, settings))
                    for tenant, own in own_databases(url, settings.database_tenants).items()
                },
            )

    def of(self, tenant: TenantId) -> Database:
        return self._own.get(tenant, self._common)

    def all(self) -> Sequence[Database]:
        return (self._common, *self._own.values())

    async def ready(self) -> None:
        """Raise `DatabaseUnavailable` if the common database does not answer.

        A database of one tenant has no say: its outage must not take the service from the others.
        """
        await self._common.ready()
