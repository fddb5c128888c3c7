"""Says what to do about a login that failed for a reason that no runbook explains, by how far it went."""

from collections.abc import Mapping

from triagebook.runbooks.engine.diagnosis import LoginResult

BEFORE_THE_HOST = frozenset({"resolve", "connect"})  # phases that tell nothing of the host's memory or tasks
_TIMED_OUT: Mapping[str, str] = {
    "resolve": "Check the name server of this machine.",
    "connect": "The host is down, a firewall drops, or its sshd takes no connection: see its console, or wait longer (--timeout).",
}
_REFUSED: Mapping[str, str] = {
    "resolve": "Check the spelling; the names of your inventory are listed by `triagebook host list`",
    "connect": "Check on its console that sshd runs, and in your ssh configuration the address, the port and the way there.",
    "banner": "Check the port and the proxy of your ssh configuration, and whether sshd drops connections on purpose.",
    "kex": "Check that the host and you have an algorithm in common; what each offers is shown by `ssh -v HOST`",
    "auth": "Check the account, on the host the log of sshd, and the keys that your agent has: `ssh-add -l`",
    "session": "Check on the host what this account may start: its shell, a forced command, the log of sshd.",
    "exec": "Check on the host what this account may start: its shell, a forced command, the log of sshd.",
}


def login_advice(login: LoginResult) -> tuple[str, ...]:
    """Return what to do now. Nothing for a host key: its message holds the commands, to be run after a comparison only."""
    advice = (_TIMED_OUT if login.outcome == "timeout" else _REFUSED).get(login.phase)
    return (advice,) if advice else ()
