"""Which machine an inventory name is: host key, machine id and target id as they were first seen."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "machines",
        sa.Column("host", sa.String(255), primary_key=True),
        sa.Column("host_key", sa.String(255), nullable=False),
        sa.Column("machine_id", sa.String(255), nullable=False),
        sa.Column("target_id", sa.String(255), nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_machines_host_key", "machines", ["host_key"])
    op.create_index("ix_machines_target_id", "machines", ["target_id"])
