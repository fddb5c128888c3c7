"""Alerts of monitoring systems with what came of them, and the answers that hosts gave."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "alert_episodes",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("alert", sa.Text, nullable=False),
        sa.Column("rule", sa.String(255), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("runbooks", sa.Text, nullable=False),
        sa.Column("problem", sa.String(32), nullable=False),
        sa.Column("says", sa.Text, nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("repeats", sa.Integer, nullable=False),
        sa.Column("asks", sa.Integer, nullable=False),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.Column("resolved_at", sa.BigInteger, nullable=False),
        sa.Column("answered_at", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("cause", sa.String(64), nullable=False),
        sa.Column("headline", sa.Text, nullable=False),
        sa.Column("diagnosis", sa.Text, nullable=False),
        sa.Column("cause_at_alert", sa.String(64), nullable=False),
    )
    op.create_index("ix_alert_episodes_host", "alert_episodes", ["host", "first_at"])
    op.create_index("ix_alert_episodes_first", "alert_episodes", ["first_at"])
    op.create_index("ix_alert_episodes_last", "alert_episodes", ["last_at"])
    op.create_table(
        "answers",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("host_key", sa.String(255), nullable=False),
        sa.Column("boot_id", sa.String(64), nullable=False),
        sa.Column("account", sa.String(512), nullable=False),
        sa.Column("runbook", sa.String(160), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("cause", sa.String(64), nullable=False),
        sa.Column("culprit", sa.String(255), nullable=False),
        sa.Column("headline", sa.Text, nullable=False),
    )
    op.create_index("ix_answers_host", "answers", ["host", "at"])
    op.create_index("ix_answers_at", "answers", ["at"])
