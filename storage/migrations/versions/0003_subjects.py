"""By what an issuer of OpenID Connect knows somebody: names there may change, and may be taken by others."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Only adds: code of before works beside it."""
    op.add_column("users", sa.Column("subject", sa.String(length=255), nullable=True))
    op.create_index("uq_users_subject", "users", ["origin", "subject"], unique=True)
