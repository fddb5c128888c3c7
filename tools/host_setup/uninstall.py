"""Removes the preparation of a host and leaves the host as it was."""

from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.host_setup import layout
from triagebook.tools.host_setup.install import account_mark, reload_sshd
from triagebook.tools.host_setup.remote import Remote
from triagebook.tools.log import log_event

_OUTSTANDING = """cd "$1" 2>/dev/null || exit 0
for entry in *; do
  state=''
  [ ! -r "$entry/state" ] || read -r state <"$entry/state"
  case $state in
    changing | undoing | half) echo "$entry $state" ;;
    applied) [ ! -e "$entry/persistent" ] || echo "$entry $state" ;;
  esac
done"""


def live_changes(remote: Remote) -> tuple[str, ...]:
    """Return the helper's changes that are still in place, as `ID STATE`; their undo needs the helper's journal."""
    return tuple(remote.run("sh", "-c", _OUTSTANDING, "sh", layout.JOURNAL).splitlines())


def uninstall(remote: Remote, *, keep_changes: bool = False) -> None:
    """Remove everything that `install` put there, and the accounts it created.

    Raises:
        UsageError: persistent changes are still there and their undo would be lost.
        PrepareError: a step failed; it can be repeated.
    """
    left = live_changes(remote)
    if left and not keep_changes:
        raise UsageError(f"{len(left)} changes are still in place: revert them first, or use --keep-changes: {', '.join(left)}")
    remote.run("rm", "-f", layout.SUDOERS)  # first: from now on nobody can order anything
    if remote.exists(layout.SSHD):
        remote.run("rm", "-f", layout.SSHD)
        reload_sshd(remote)
    for account in (layout.FIXER, layout.DIAGNOSER):
        if remote.exists(account_mark(account)):
            _remove_account(remote, account)
    for path in (layout.PROGRAMS, layout.CONFIG, layout.STATE, "/run/triagebook"):
        remote.run("rm", "-rf", path)
    log_event("setup.uninstalled")


def _remove_account(remote: Remote, account: str) -> None:
    """Remove an account after ending its sessions and user manager, because userdel refuses one that has processes."""
    remote.ask("loginctl", "terminate-user", account)
    for _ in range(10):
        if remote.succeeds("userdel", account):
            return
        remote.run("sleep", "1")
    remote.run("userdel", account)
