"""Who owns tables, and how Alembic takes an owner's tables from one revision to another.

An owner is a folder of revisions, `…/migrations/<owner>/`. What its tables are after the last
revision stands in `tables.py` beside `migrations/`, as `<owner>_metadata`; an owner without tables
has none. Each owner has a version table of its own, so that an owner that has gone does not stop
the others. There is no `alembic.ini` and no `env.py`: nothing in them would differ between owners.
"""

import importlib
import importlib.util
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.autogenerate import produce_migrations
from alembic.autogenerate import render_python_code
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy import MetaData

from acme_orders.platform.postgres.tenancy import PACKAGE

CORE = "core"
"""The owner that the others build on: it is upgraded first, and downgraded last."""
VERSIONS = "alembic_version_"
REVISION = '''"""{message}."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "{id}"
down_revision = {before!r}


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    {downgrade}
'''


@dataclass(frozen=True, slots=True)
class Owner:
    name: str
    folder: Path
    metadata: MetaData

    @property
    def version_table(self) -> str:
        return VERSIONS + self.name

    @property
    def scripts(self) -> ScriptDirectory:
        return ScriptDirectory(self.folder, version_locations=[self.folder])

    @property
    def head(self) -> str | None:
        return self.scripts.get_current_head()

    def knows(self, revision: str) -> bool:
        return any(each.revision == revision for each in self.revisions())

    def revisions(self) -> list["Revision"]:
        """Return the revisions, the oldest first."""
        scripts = reversed(list(self.scripts.walk_revisions()))
        return [Revision(self, script.revision, script.module) for script in scripts]


@dataclass(frozen=True, slots=True)
class Revision:
    owner: Owner
    revision: str
    module: ModuleType

    @property
    def contracts(self) -> str | None:
        """The release that stopped using what this revision takes away, if it names one."""
        release: str | None = getattr(self.module, "contracts", None)
        return release

    def sql(self) -> str:
        """Return the SQL that its upgrade runs."""
        buffer = StringIO()
        context = MigrationContext.configure(
            dialect_name="postgresql",
            opts={"as_sql": True, "output_buffer": buffer},
        )
        with _operations(context):
            self.module.upgrade()
        return buffer.getvalue()


def owners(package: Path | None = None) -> list[Owner]:
    """Return every owner in the package, core first."""
    root = package or Path(str(files(PACKAGE)))
    folders = {script.parent for script in root.glob("**/migrations/*/*.py")}
    found = [Owner(each.name, each, _metadata(root, each)) for each in folders]
    return sorted(found, key=lambda owner: (owner.name != CORE, owner.name))


def _metadata(root: Path, folder: Path) -> MetaData:
    tables = folder.parent.parent / "tables.py"
    if not tables.exists():
        return MetaData()
    parts = tables.relative_to(root.parent).with_suffix("").parts
    module = importlib.import_module(".".join(parts))
    metadata: MetaData = getattr(module, f"{folder.name}_metadata", MetaData())
    return metadata


def move(connection: Connection, owner: Owner, to: str) -> None:
    """Upgrade the tables to `head`, or downgrade them to `base`; each revision is a transaction."""
    scripts = owner.scripts

    def steps(current: Any, _: object) -> Iterable[Any]:
        if to == "head":
            return scripts._upgrade_revs(to, current)  # noqa: SLF001  what Alembic's env.py is given
        return scripts._downgrade_revs(to, current)  # noqa: SLF001

    opts: dict[str, Any] = {"fn": steps, "script": scripts, "transaction_per_migration": True}
    context = _context(connection, owner, **opts)
    with _operations(context), context.begin_transaction():
        context.run_migrations()


def current(connection: Connection, owner: Owner) -> str | None:
    """Return the revision that the owner's tables are at."""
    return _context(connection, owner).get_current_revision()


def differences(connection: Connection, owner: Owner, others: Iterable[Owner] = ()) -> list[Any]:
    """Return how the owner's tables in the database differ from its metadata."""
    return list(compare_metadata(_context(connection, owner, others), owner.metadata))


def write_revision(
    connection: Connection,
    owner: Owner,
    message: str,
    others: Iterable[Owner] = (),
) -> Path:
    """Write the revision that takes the database to the owner's metadata: a draft to be read."""
    script = produce_migrations(_context(connection, owner, others), owner.metadata)
    upgrade = render_python_code(script.upgrade_ops_list[0])
    downgrade = render_python_code(script.downgrade_ops_list[0])
    before = owner.head
    id = f"{int(before or 0) + 1:04}"
    words = "".join(each if each.isalnum() else " " for each in message.lower()).split()
    path = owner.folder / f"{id}_{'_'.join(words)}.py"
    path.write_text(
        REVISION.format(
            message=message.strip().rstrip("."),
            id=id,
            before=before,
            upgrade=upgrade,
            downgrade=downgrade,
        ),
    )
    return path


def _context(
    connection: Connection,
    owner: Owner,
    others: Iterable[Owner] = (),
    **opts: Any,
) -> MigrationContext:
    taken = {table for other in others for table in other.metadata.tables}

    def include_name(name: str | None, kind: str, _: object) -> bool:
        return kind != "table" or not (
            name is None or name.startswith(VERSIONS) or name in taken - set(owner.metadata.tables)
        )

    opts |= {"version_table": owner.version_table, "include_name": include_name}
    return MigrationContext.configure(connection, opts=opts)


@contextmanager
def _operations(context: MigrationContext) -> Iterator[None]:
    # What Operations.context does, except that this also cleans up after a revision that failed.
    operations = Operations(context)
    operations._install_proxy()  # noqa: SLF001
    try:
        yield
    finally:
        operations._remove_proxy()  # noqa: SLF001
