"""Counts of what the database holds, for metrics: nothing in them names a host or a person."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import func, select
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.store import audit_rows
from triagebook.tools.store.database import Store
from triagebook.tools.store.fix_states import STATES
from triagebook.tools.store.schema import fixes, host_locks, signed_head
from triagebook.tools.times import from_micros

_BY_STATE = select(fixes.c.state, func.count()).group_by(fixes.c.state)
_NEWEST = select(signed_head.c.size, signed_head.c.at)


@dataclass(frozen=True)
class Figures:
    """`fixes` by state, all of them named; `checkpoint_rows` and `checkpoint_at` of the newest checkpoint kept."""

    fixes: Mapping[str, int]
    locked_hosts: int
    audit_rows: int
    checkpoint_rows: int
    checkpoint_at: datetime | None


def read_figures(store: Store) -> Figures:
    """Count in one consistent view. TrustError when the database fails, or the head of the log is gone."""
    with store.read() as transaction:
        connection = transaction.connection
        states: dict[str, int] = {row[0]: row[1] for row in connection.execute(_BY_STATE)}
        newest = connection.execute(_NEWEST).first()
        return Figures(
            fixes={state: states.get(state, 0) for state in STATES},
            locked_hosts=connection.execute(select(func.count()).select_from(host_locks)).scalar_one(),
            audit_rows=audit_rows.read_head(transaction).edge.size,
            checkpoint_rows=newest.size if newest else 0,
            checkpoint_at=from_micros(newest.at) if newest else None,
        )
