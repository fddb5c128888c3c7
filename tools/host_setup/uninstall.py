"""Removes the preparation of a host, and says which changes of fixes are still in place."""

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.actions import ACTIONS
from triagebook.tools.host_setup import layout
from triagebook.tools.host_setup.install import account_mark, reload_sshd
from triagebook.tools.host_setup.remote import Remote
from triagebook.tools.log import log_event

BOOT_ID = "/proc/sys/kernel/random/boot_id"
# Each entry that may still hold: ID, state, whether it outlives this boot, whether it is of this boot, and its order.
_OUTSTANDING = """boot=$(cat "$2")
cd "$1" 2>/dev/null || exit 0
for entry in *; do
  state='' lasts=no of=none change=''
  [ ! -r "$entry/state" ] || read -r state <"$entry/state"
  case $state in applied | changing | undoing | half) ;; *) continue ;; esac
  [ ! -e "$entry/persistent" ] || lasts=yes
  [ ! -r "$entry/before" ] || of=$(sed -n 3p "$entry/before")
  if [ "$of" = "$boot" ]; then of=this; else of=other; fi
  [ ! -r "$entry/order" ] || change=$(sed -n '/^action=/,$p' "$entry/order" | tr '\\n' ' ')
  printf '%s %s %s %s %s\\n' "$entry" "$state" "$lasts" "$of" "$change"
done"""
_OUR_FILES = """set -- /etc/sysctl.d/99-zz-triagebook-*.conf /etc/security/limits.d/zz-triagebook-*.conf
set -- "$@" /etc/systemd/system/*.d/zz-triagebook-*.conf
for path; do [ ! -e "$path" ] || echo "$path"; done
! grep -qs triagebook.swap /etc/fstab || echo 'a line in /etc/fstab (triagebook.swap)'"""


@dataclass(frozen=True)
class StandingChange:
    """A change of the helper's that still holds on the host. Its undo needs the helper's journal."""

    order: str
    state: str  # applied | changing | undoing | half
    lasts: bool  # also after the next boot
    change: str  # action and fields, as the order has them

    def says(self) -> str:
        """Return the change in words."""
        until = "also after the next boot" if self.lasts else "live, until the next boot or restart"
        state = "" if self.state == "applied" else f", left {self.state}"
        return safe_text(f"{self.change or 'an order that cannot be read'} ({until}{state}; order {self.order[:12]})", 300)


def changes_in_place(remote: Remote, journal: str = layout.JOURNAL, boot_id: str = BOOT_ID) -> tuple[StandingChange, ...]:
    """Return the helper's changes that still hold: lasting ones, live ones of this boot, and what was cut half-way."""
    found = []
    for line in remote.run("sh", "-c", _OUTSTANDING, "sh", journal, boot_id).splitlines():
        order, state, lasts, of, *rest = line.split(" ")
        action = rest[0].removeprefix("action=") if rest else ""
        has_nothing_to_undo = state == "applied" and action in ACTIONS and ACTIONS[action].undo != "captured"
        is_gone = lasts == "no" and of == "other"
        if not is_gone and not has_nothing_to_undo:
            found.append(StandingChange(order, state, lasts == "yes", " ".join(rest).strip().removeprefix("action=")))
    return tuple(found)


def uninstall(remote: Remote, *, keep_changes: bool = False) -> tuple[str, ...]:
    """Remove everything that `install` put there, and the accounts it created. Return what of fixes is still in place.

    Raises:
        UsageError: changes still hold, live or lasting, and their undo would be lost.
        PrepareError: a step failed; it can be repeated.
    """
    left = [change.says() for change in changes_in_place(remote)]
    if left and not keep_changes:
        raise UsageError(
            f"{len(left)} {'change is' if len(left) == 1 else 'changes are'} still in place, and only the helper can undo "
            f"{'it' if len(left) == 1 else 'them'}: revert first (`triagebook fix revert FIX`), or use --keep-changes.\n  "
            + "\n  ".join(left),
            reason="usage",
        )
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
    files = remote.run("sh", "-c", _OUR_FILES).splitlines()
    return (*left, *(safe_text(f"file {path}", 300) for path in files))


def _remove_account(remote: Remote, account: str) -> None:
    """Remove an account after ending its sessions and user manager, because userdel refuses one that has processes."""
    remote.ask("loginctl", "terminate-user", account)
    for _ in range(10):
        if remote.succeeds("userdel", account):
            return
        remote.run("sleep", "1")
    remote.run("userdel", account)
