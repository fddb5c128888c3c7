"""Tables of alerts and of answers: what a monitoring system said and what came of it, and what every host was found to have.

Nothing here decides anything. Losing these tables loses history, never a decision.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text
from triagebook.tools.store.schema import metadata

# One alert from its start to its resolution, whatever state it is in.
episodes = Table(
    "alert_episodes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("source", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("alert", Text, nullable=False),  # as JSON, as it was told first
    Column("rule", String(255), nullable=False),
    Column("host", String(255), nullable=False),
    Column("runbooks", Text, nullable=False),  # asked for by the rule; empty: all
    Column("problem", String(32), nullable=False),  # why no host was asked
    Column("says", Text, nullable=False),
    Column("channel", String(64), nullable=False),
    Column("repeats", Integer, nullable=False),  # notifications after the first one
    Column("asks", Integer, nullable=False),  # how often the host was asked
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("resolved_at", BigInteger, nullable=False),  # 0: it fires
    Column("answered_at", BigInteger, nullable=False),  # 0: no answer yet
    Column("status", String(16), nullable=False),  # of the newest answer
    Column("cause", String(64), nullable=False),
    Column("headline", Text, nullable=False),
    Column("diagnosis", Text, nullable=False),  # of the newest answer, redacted JSON
    Column("cause_at_alert", String(64), nullable=False),  # of the first answer
    Index("ix_alert_episodes_host", "host", "first_at"),
    Index("ix_alert_episodes_first", "first_at"),
    Index("ix_alert_episodes_last", "last_at"),
)

# Every diagnosis that somebody was shown, for the history of a host.
answers = Table(
    "answers",
    metadata,
    Column("id", String(64), primary_key=True),  # of the diagnosis
    Column("host", String(255), nullable=False),
    Column("host_key", String(255), nullable=False),
    Column("boot_id", String(64), nullable=False),
    Column("account", String(512), nullable=False),
    Column("runbook", String(160), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("cause", String(64), nullable=False),
    Column("culprit", String(255), nullable=False),
    Column("headline", Text, nullable=False),
    Index("ix_answers_host", "host", "at"),
    Index("ix_answers_at", "at"),
)

# The whole of such an answer, of one runbook or of several, to be shown again; kept for less long.
answer_texts = Table(
    "answer_texts",
    metadata,
    Column("id", String(64), primary_key=True),  # of the answer
    Column("first", String(64), nullable=False),  # the id of its first diagnosis
    Column("at", BigInteger, nullable=False),
    Column("text", Text, nullable=False),  # redacted JSON
    Index("ix_answer_texts_first", "first"),
    Index("ix_answer_texts_at", "at"),
)
