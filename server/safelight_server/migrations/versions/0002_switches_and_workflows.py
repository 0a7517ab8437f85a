"""Let the queue be paused for good, and let jobs be found by time and by workflow."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table, a column and the orders in which jobs are listed."""
    op.create_table(
        "switches",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.add_column("jobs", sa.Column("workflow_id", sa.String(200)))
    op.create_index("jobs_by_creation", "jobs", ["created_ms"])
    op.create_index("jobs_by_workflow", "jobs", ["workflow_id"])


def downgrade() -> None:
    """Remove them again."""
    op.drop_index("jobs_by_workflow", "jobs")
    op.drop_index("jobs_by_creation", "jobs")
    op.drop_column("jobs", "workflow_id")
    op.drop_table("switches")
