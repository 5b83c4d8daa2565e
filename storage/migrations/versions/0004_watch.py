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
    op.add_column("events", sa.Column("pruned_at", UtcDateTime))
    is_duplicate = sa.text("duplicate_of IS NOT NULL")
    op.create_index("ix_events_duplicate_of", "events", ["duplicate_of"], sqlite_where=is_duplicate, postgresql_where=is_duplicate)
    for name in ("timers", "sample_scopes", "announcements", "incident_turns"):
        op.create_index(f"ix_{name}_event", name, ["event_id"])
