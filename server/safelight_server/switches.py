"""How the queue is set, kept across restarts: whether it is paused."""

import json

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from safelight_server.database import Database
from safelight_server.tables import switches

_PAUSED = "queue.paused"


class Switches:
    """The switches, as they stand in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def paused(self) -> bool:
        """Return whether waiting jobs are to stay waiting."""
        wanted = select(switches.c.value).where(switches.c.name == _PAUSED)
        async with self._database.reading() as connection:
            value = (await connection.execute(wanted)).scalar()
        return value is not None and bool(json.loads(value))

    async def set_paused(self, paused: bool) -> None:
        """Write down whether waiting jobs are to stay waiting."""
        value = json.dumps(paused)
        row = insert(switches).values(name=_PAUSED, value=value)
        async with self._database.writing() as connection:
            await connection.execute(
                row.on_conflict_do_update(index_elements=["name"], set_={"value": value})
            )
