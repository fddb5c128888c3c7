"""Who asks: an account that the transport proved, and what its token may be used for. Nothing here comes from a request."""

import getpass
from collections.abc import Mapping

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.identity import Account, Actor

READ, PROPOSE, APPLY, AUDIT = "triagebook:read", "triagebook:propose", "triagebook:apply", "triagebook:audit"
SCOPES = (READ, PROPOSE, APPLY, AUDIT)
SCOPE_OF: Mapping[str, str] = {"propose_fix": PROPOSE, "apply_fix": APPLY, "search_audit": AUDIT}  # anything else: READ
ACTION_OF: Mapping[str, str] = {"propose_fix": "propose", "apply_fix": "apply"}  # a tool's name in the audit log
NOBODY = Actor(Account("mcp", "loopback", "anonymous"), "mcp")


@dataclass(frozen=True)
class Caller:
    """One account on the MCP channel. `scopes` is None where the transport knows none (stdio): the policy alone decides."""

    actor: Actor
    scopes: frozenset[str] | None = None

    @property
    def key(self) -> str:
        """What limits are counted by."""
        return str(self.actor.account)

    def has(self, scope: str) -> bool:
        """May the token be used for this at all?"""
        return self.scopes is None or scope in self.scopes


def os_caller() -> Caller:
    """Who runs this process. Used for one's own diagnoses only: the server asks the kernel itself."""
    return Caller(Actor(Account("os", "", getpass.getuser()), "mcp"))


def scope_of(tool: str) -> str:
    """The scope a tool needs."""
    return SCOPE_OF.get(tool, READ)
