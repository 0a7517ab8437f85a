"""Make the tables of jobs and of what happened to them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables and the two orders in which jobs are read."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("number", sa.Float, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("deaths", sa.Integer, nullable=False),
        sa.Column("client_id", sa.String(200)),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("extra", sa.Text, nullable=False),
        sa.Column("wanted", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_ms", sa.Integer, nullable=False),
        sa.Column("started_ms", sa.Integer),
        sa.Column("ended_ms", sa.Integer),
    )
    op.create_index("jobs_in_order", "jobs", ["state", "number", "id"])
    op.create_index("jobs_by_end", "jobs", ["ended_ms"])
    op.create_table(
        "events",
        sa.Column("job_id", sa.String(200), sa.ForeignKey("jobs.id", ondelete="CASCADE")),
        sa.Column("sequence", sa.Integer, autoincrement=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("at_ms", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("job_id", "sequence"),
    )


def downgrade() -> None:
    """Remove both tables and all that they hold."""
    op.drop_table("events")
    op.drop_table("jobs")
