"""Opening the database: one writer, several readers, and migrations only when they are needed.

SQLite runs in WAL mode with `synchronous=FULL`, so a committed job outlives the loss of power.
Writers begin with BEGIN IMMEDIATE and take turns by a lock, so nobody meets a busy database.
Alembic takes a third of a second to import; it is asked only when the stored version is not the
newest one.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import Connection, event, inspect, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from safelight_server.tables import HEAD

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA busy_timeout=10000",
    "PRAGMA foreign_keys=ON",
)
_READERS = 4


class DatabaseUnusable(Exception):
    """The database file cannot be used as it is; the message says why and what to do."""


class Database:
    """Transactions on one database file."""

    def __init__(self, path: Path) -> None:
        url = f"sqlite+aiosqlite:///{path}"
        self.path = path
        self._writer = _engine(url, begin="BEGIN IMMEDIATE", connections=1)
        self._readers = _engine(url, begin="BEGIN", connections=_READERS)
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncConnection, None]:
        """Yield a connection in a transaction of its own; leaving it commits to the disk."""
        async with self._turn, self._writer.begin() as connection:
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection, None]:
        """Yield a connection that sees one moment of the database."""
        async with self._readers.begin() as connection:
            yield connection

    async def close(self) -> None:
        """Close every connection."""
        await self._readers.dispose()
        await self._writer.dispose()

    async def migrate(self) -> None:
        """Bring the tables to the newest version.

        Raises:
            DatabaseUnusable: when the file is no database, or one of a newer Safelight.
        """
        try:
            async with self.writing() as connection:
                version = await connection.run_sync(_version)
                if version != HEAD:
                    await connection.run_sync(_upgrade, version, self.path)
        except DatabaseError as error:
            message = f"{self.path} cannot be read as Safelight's database: {error.orig}"
            raise DatabaseUnusable(message) from error


def _engine(url: str, *, begin: str, connections: int) -> AsyncEngine:
    engine = create_async_engine(url, pool_size=connections, max_overflow=0, pool_timeout=60)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection, version: str | None, path: Path) -> None:
    from alembic import command  # slow to import, and rarely needed
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
    if version is not None and version not in known:
        message = (
            f"{path} was written by a newer Safelight (its version is {version}, the newest "
            f"known here is {HEAD}). Update Safelight, or start with another --home."
        )
        raise DatabaseUnusable(message)
    command.upgrade(config, "head")
