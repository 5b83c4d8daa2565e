"""What the service looks after beside alerts: when each duty was last done, and counts that outlive the rows that were counted."""

import sqlalchemy as sa
from alembic import op

from storage.tables import UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Only adds: code of before works beside it."""
    op.create_table(
        "marks",
        sa.Column("name", sa.String(length=100), primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("value", sa.Text),
    )
    op.create_table(
        "tallies",
        sa.Column("name", sa.String(length=64), primary_key=True),
        sa.Column("labels", sa.String(length=500), primary_key=True),
        sa.Column("value", sa.Float, nullable=False),
    )
