"""Make the tables of the library: workflows, versions, thumbnails and links."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the four tables and the orders in which they are read."""
    op.create_table(
        "workflows",
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("nodes", sa.Integer, nullable=False),
        sa.Column("thumbnail", sa.String(64)),
        sa.Column("created_ms", sa.Integer, nullable=False),
        sa.Column("changed_ms", sa.Integer, nullable=False),
        sa.Column("deleted_ms", sa.Integer),
    )
    op.create_index("workflows_by_change", "workflows", ["changed_ms"])
    op.create_table(
        "workflow_versions",
        _owner(),
        sa.Column("version", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("nodes", sa.Integer, nullable=False),
        sa.Column("created_ms", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("workflow_id", "version"),
    )
    op.create_table(
        "workflow_thumbnails",
        _owner(),
        sa.Column("picture", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("workflow_id"),
    )
    op.create_table(
        "workflow_shares",
        sa.Column("token", sa.String(64), primary_key=True),
        _owner(),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_ms", sa.Integer, nullable=False),
    )
    op.create_index("shares_by_workflow", "workflow_shares", ["workflow_id"])


def downgrade() -> None:
    """Remove them and all that they hold."""
    for table in ("workflow_shares", "workflow_thumbnails", "workflow_versions", "workflows"):
        op.drop_table(table)


def _owner() -> sa.Column[str]:
    belongs = sa.ForeignKey("workflows.id", ondelete="CASCADE")
    return sa.Column("workflow_id", sa.String(200), belongs, nullable=False)
