"""The tables of the store: jobs, what happened to each in order, and how the queue is set.

A job's row holds what was asked and where it stands; `events` holds what came of it, numbered
from 1 per job, so that any client can ask for what it missed.  Change a table here and add a
migration beside the others: a test compares the two.
"""

from enum import StrEnum

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

HEAD = "0003"  # the newest migration

metadata = MetaData()


class State(StrEnum):
    """Where a job stands; the last three are final."""

    PENDING = "pending"
    RUNNING = "running"
    CANCELLING = "cancelling"  # running, and asked to stop
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


WAITING = (State.PENDING,)
ACTIVE = (State.RUNNING, State.CANCELLING)
OPEN = (*WAITING, *ACTIVE)
FINAL = (State.DONE, State.FAILED, State.CANCELLED)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("number", Float, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),  # one more with every lease
    Column("deaths", Integer, nullable=False),  # workers that died while running it
    Column("client_id", String(200)),
    Column("prompt", Text, nullable=False),  # JSON: the API prompt after coercion
    Column("extra", Text, nullable=False),  # JSON: extra_data as posted
    Column("wanted", Text, nullable=False),  # JSON: ids of the output nodes to run
    Column("digest", String(64), nullable=False),  # of what was posted
    Column("created_ms", Integer, nullable=False),  # milliseconds since 1970, as all times here
    Column("started_ms", Integer),
    Column("ended_ms", Integer),
    Column("workflow_id", String(200)),  # as the workflow's own document calls itself
    Index("jobs_in_order", "state", "number", "id"),
    Index("jobs_by_end", "ended_ms"),
    Index("jobs_by_creation", "created_ms"),
    Index("jobs_by_workflow", "workflow_id"),
)

events = Table(
    "events",
    metadata,
    Column("job_id", String(200), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, nullable=False),
    Column("type", String(40), nullable=False),
    Column("data", Text, nullable=False),  # JSON, as it went over the wire
    Column("at_ms", Integer, nullable=False),
)

switches = Table(
    "switches",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),  # JSON
)
