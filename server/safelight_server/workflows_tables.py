"""The tables of the library: workflows, their versions, pictures of them, and links to them."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from safelight_server.tables import metadata

workflows = Table(
    "workflows",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("tags", Text, nullable=False),  # JSON: a list of texts
    Column("words", Text, nullable=False),  # what a search looks through, in lower case
    Column("version", Integer, nullable=False),  # the newest one
    Column("nodes", Integer, nullable=False),  # how many the newest one has
    Column("thumbnail", String(64)),  # a name of the picture's content, if there is one
    Column("created_ms", Integer, nullable=False),
    Column("changed_ms", Integer, nullable=False),
    Column("deleted_ms", Integer),  # since when it is in the bin
    Index("workflows_by_change", "changed_ms"),
)


def _owner(*, key: bool) -> Column[str]:
    belongs = ForeignKey("workflows.id", ondelete="CASCADE")
    return Column("workflow_id", String(200), belongs, primary_key=key, nullable=False)


versions = Table(
    "workflow_versions",
    metadata,
    _owner(key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),  # from 1
    Column("document", Text, nullable=False),  # JSON, without the id and the name
    Column("digest", String(64), nullable=False),  # of the document, keys in order
    Column("nodes", Integer, nullable=False),
    Column("created_ms", Integer, nullable=False),
)

thumbnails = Table(
    "workflow_thumbnails",
    metadata,
    _owner(key=True),
    Column("picture", LargeBinary, nullable=False),  # WebP
)

shares = Table(
    "workflow_shares",
    metadata,
    Column("token", String(64), primary_key=True),
    _owner(key=False),
    Column("version", Integer, nullable=False),
    Column("created_ms", Integer, nullable=False),
    Index("shares_by_workflow", "workflow_id"),
)
