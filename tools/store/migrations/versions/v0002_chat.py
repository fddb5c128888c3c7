"""Tables of a chat face: deliveries, messages, button tokens, runs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "chat_deliveries",
        sa.Column("key", sa.String(160), primary_key=True),
        *_not_null(("kind", sa.String(32)), ("body", sa.Text), ("received_at", sa.BigInteger), ("owner", sa.String(64))),
        *_not_null(("lease_until", sa.BigInteger), ("tries", sa.Integer), ("done_at", sa.BigInteger)),
    )
    op.create_index("ix_chat_deliveries_open", "chat_deliveries", ["done_at", "lease_until"])
    op.create_table(
        "chat_messages",
        sa.Column("id", sa.String(32), primary_key=True),
        *_not_null(("kind", sa.String(16)), ("subject", sa.String(64)), ("channel", sa.String(64)), ("parent", sa.String(32))),
        *_not_null(("thread_ts", sa.String(32)), ("ts", sa.String(32)), ("content", sa.Text), ("mark", sa.String(255))),
        *_not_null(("wanted", sa.Integer), ("shown", sa.Integer), ("tries", sa.Integer), ("next_at", sa.BigInteger)),
        *_not_null(("lease_until", sa.BigInteger), ("created_at", sa.BigInteger), ("problem", sa.Text)),
    )
    op.create_index("ix_chat_messages_subject", "chat_messages", ["subject"])
    op.create_index("ix_chat_messages_channel_ts", "chat_messages", ["channel", "ts"])
    op.create_table(
        "chat_tokens",
        sa.Column("token", sa.String(64), primary_key=True),
        *_not_null(("message", sa.String(32)), ("does", sa.String(32)), ("fix", sa.String(32)), ("plan_digest", sa.String(64))),
        *_not_null(("team", sa.String(32)), ("data", sa.Text), ("created_at", sa.BigInteger), ("expires_at", sa.BigInteger)),
        sa.UniqueConstraint("message", "does", name="uq_chat_tokens_message_does"),
    )
    op.create_table(
        "chat_runs",
        sa.Column("id", sa.String(32), primary_key=True),
        *_not_null(("person", sa.String(255)), ("account", sa.String(512)), ("channel", sa.String(64))),
        *_not_null(("host", sa.String(255)), ("runbook", sa.String(160)), ("cause", sa.String(64)), ("status", sa.String(16))),
        *_not_null(("headline", sa.Text), ("message", sa.String(32)), ("repeats", sa.Integer), ("started_at", sa.BigInteger)),
        *_not_null(("ended_at", sa.BigInteger), ("inputs", sa.Text), ("diagnosis", sa.Text)),
    )
    op.create_index("ix_chat_runs_asked", "chat_runs", ["channel", "started_at"])
    op.create_index("ix_chat_runs_account", "chat_runs", ["account", "started_at"])


def _not_null(*columns: tuple[str, object]) -> list[sa.Column[object]]:
    return [sa.Column(name, kind, nullable=False) for name, kind in columns]  # type: ignore[arg-type]
