"""Tables of a chat face: the messages it keeps up to date, what its buttons mean, what it was asked.

Nothing here decides anything: fixes, votes and the log are elsewhere. Losing these tables loses cards, never a decision.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, UniqueConstraint
from triagebook.tools.store.schema import metadata

# A message as it should be (`content`, version `wanted`) and which version is shown (0: not posted yet).
messages = Table(
    "chat_messages",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("subject", String(64), nullable=False),  # a fix's or a run's id
    Column("channel", String(64), nullable=False),
    Column("parent", String(32), nullable=False),  # the message whose thread it belongs to; empty: none
    Column("thread_ts", String(32), nullable=False),  # a thread that is not ours
    Column("ts", String(32), nullable=False),
    Column("content", Text, nullable=False),
    Column("mark", String(255), nullable=False),  # what of its subject the content shows
    Column("wanted", Integer, nullable=False),
    Column("shown", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("problem", Text, nullable=False),  # why it will never be shown
    Column("owner", String(64), nullable=False),  # the sender whose lease it is
    Index("ix_chat_messages_subject", "subject"),
    Index("ix_chat_messages_channel_ts", "channel", "ts"),
)

# What a button means. The button itself carries the token alone.
tokens = Table(
    "chat_tokens",
    metadata,
    Column("token", String(64), primary_key=True),
    Column("message", String(32), nullable=False),
    Column("does", String(32), nullable=False),
    Column("fix", String(32), nullable=False),
    Column("plan_digest", String(64), nullable=False),
    Column("team", String(32), nullable=False),
    Column("data", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    UniqueConstraint("message", "does", name="uq_chat_tokens_message_does"),
)

runs = Table(
    "chat_runs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("person", String(255), nullable=False),
    Column("account", String(512), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("host", String(255), nullable=False),
    Column("runbook", String(160), nullable=False),
    Column("cause", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("headline", Text, nullable=False),
    Column("message", String(32), nullable=False),
    Column("repeats", Integer, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),  # 0: under way
    Column("inputs", Text, nullable=False),
    Column("diagnosis", Text, nullable=False),  # redacted
    Index("ix_chat_runs_asked", "channel", "started_at"),
    Index("ix_chat_runs_account", "account", "started_at"),
)
