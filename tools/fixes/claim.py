"""Holds the claim on a fix that is being carried out: renewed while work goes on, asked again before each signature.

A claim is a lease in the database. The process that holds it may be stopped at any moment, and so may the database or an
anchor: meanwhile the lease runs out, another server calls the fix unknown and settles it. So nothing may be signed on the
strength of an earlier answer.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from triagebook.runbooks.engine.errors import RefusedError
from triagebook.tools.fixes.approval_server import ApprovalServer
from triagebook.tools.store import fix_rows
from triagebook.tools.store.fix_states import Fix
from triagebook.tools.store.leases import Lease, hold_lease


class HeldClaim:
    """Knows until when one owner holds a fix. Make it before the claim is written: its time counts from here.

    The deadline is of the monotonic clock, which goes on while this process is stopped. A renewal moves it only when the
    database confirmed it before the deadline; after that the claim is lost for good, whatever the database says.
    """

    def __init__(self, server: ApprovalServer, fix_id: str, owner: str) -> None:
        self.owner = owner
        self._server, self._fix_id, self._one_at_a_time = server, fix_id, threading.Lock()
        self._deadline = server.monotonic() + server.lease.total_seconds()

    def lease(self) -> Lease:
        """Return the lease as it would be written now."""
        return Lease(self.owner, self._server.clock() + self._server.lease)

    def renew(self) -> bool:
        """Prolong the claim in the database. False: it is lost, and the owner may sign nothing any more."""
        server = self._server
        with self._one_at_a_time:
            began, lease = server.monotonic(), self.lease()
            with server.store.write("renew") as transaction:
                is_renewed = fix_rows.renew(transaction, self._fix_id, lease, lease.until - server.lease)
            if not is_renewed or server.monotonic() >= self._deadline:
                self._deadline = began
                return False
            self._deadline = began + server.lease.total_seconds()
            return True

    def confirm(self) -> float:
        """Renew the claim and return the seconds, from the moment of this call on, in which it surely holds.

        Raises RefusedError `claim_lost`: nothing may be signed.
        """
        began = self._server.monotonic()
        if not self.renew():
            message = "the claim on this fix ran out before the order was signed; another server may have settled it"
            raise RefusedError(f"{self._fix_id}: {message}", reason="claim_lost")
        return self._deadline - began

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Renew the claim again and again until the block ends, however long it takes."""
        with hold_lease(self.renew, self._server.lease):
            yield


def confirm_unknown(server: ApprovalServer, fix: Fix) -> float:
    """Return the seconds for which a fix may be taken for unknown still, as the database says now.

    Asked before a signature that goes on with an interrupted undo. Raises RefusedError `claim_lost`: it was settled meanwhile.
    """
    with server.store.write("confirm") as transaction:
        found = fix_rows.read(transaction, fix.id, for_update=True)
    if found is None or found.state != "unknown":
        raise RefusedError(f"{fix.id}: it was settled meanwhile by another server", reason="claim_lost")
    return server.lease.total_seconds()
