"""The database: SQLite in the data folder, or PostgreSQL by its address.

    store = Store.open("sqlite:///DIR/service.db", folder_id)
    with store.writing() as connection:
        connection.execute(insert(tables.images).values(...))

Whatever happens in one `writing()` block happens or does not; it is durable once the block ends.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from ribsight.deployment.service import tables
from ribsight.errors import RibsightError

_WAIT_SECONDS = 30
_WRITES = "ribsight_writes"


class Store:
    """The engine of one database, with transactions that read and transactions that write."""

    def __init__(self, engine: Engine):
        self.engine = engine
        self._writer = engine.execution_options(**{_WRITES: True})

    @classmethod
    def open(cls, url: str, folder_id: str, metadata: Any = tables.metadata) -> "Store":
        """Connect, and make what tables are missing.

        Args:
            url: of SQLAlchemy: `sqlite:////path/service.db`, `postgresql+psycopg://user@host/db`.
            folder_id: of the data folder; a database belongs to one.
            metadata: the tables.

        Raises:
            RibsightError: no such database, of another schema, or of another data folder.
        """
        try:
            shown = make_url(url).render_as_string(hide_password=True)
            engine = _engine(url)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise RibsightError(
                "the address of the database is none that is known: sqlite:////PATH or "
                "postgresql+psycopg://USER@HOST/NAME (with the extra 'postgres')"
            ) from error
        store = cls(engine)
        try:
            metadata.create_all(engine)
            store._claim(shown, {"schema": tables.SCHEMA, "folder": folder_id})
        except SQLAlchemyError as error:
            engine.dispose()
            reason = str(getattr(error, "orig", None) or error).strip().split("\n")[0]
            raise RibsightError(f"cannot use the database {shown}: {reason}") from error
        return store

    def _claim(self, shown: str, wanted: dict[str, str]) -> None:
        with self.writing() as connection:
            rows = connection.execute(select(tables.facts.c.name, tables.facts.c.value))
            found = dict(rows.all())
            for name, value in wanted.items():
                if name not in found:
                    connection.execute(insert(tables.facts).values(name=name, value=value))
                elif found[name] != value:
                    raise RibsightError(
                        f"the database {shown} is of {name} {found[name]}, not {value}: give the "
                        "data folder that it was made for, or an empty database"
                    )

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection that sees one moment of the database."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection whose changes are kept on leaving the block, and dropped on an error.

        SQLite has one writer at a time; others wait for up to 30 s.
        """
        with self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _engine(url: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": _WAIT_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver would begin only at the first change, which is too late to wait for a writer.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # What was acknowledged survives a power cut too.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
