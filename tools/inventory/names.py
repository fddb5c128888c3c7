"""The names an assistant may say: hosts of the inventory, and recorded cases to try things out. No account, address or path."""

from collections.abc import Callable, Iterable
from dataclasses import field
from itertools import islice

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import did_you_mean, safe_text
from triagebook.tools.inventory.inventory import NAME, Inventory
from triagebook.tools.inventory.target import CASE, LOCAL, TargetName, parse_target

GROUP = "group:"
MOST_SUGGESTED = 200  # names that are compared with one that is not known
HINT = "name the hosts in inventory.yaml beside config.yaml: `hosts: [web01, db01]`"


@dataclass(frozen=True)
class Names:
    """What the inventory of a server allows."""

    inventory: Inventory = field(default_factory=Inventory)

    def require(self, name: str, may_see: Callable[[str], bool] = lambda _name: True) -> str:
        """The name, when it may be asked about. Raises UsageError, which suggests only names that `may_see` shows."""
        self.require_form(name)
        if self.has(name):
            return name
        shown = safe_text(name, 60)
        if not self.inventory.hosts:
            raise UsageError(f"{shown!r}: no inventory is configured; {HINT}", reason="no_inventory")
        like = [known for known in self.inventory.hosts if known[:2].lower() == name[:2].lower()] or self.inventory.hosts
        visible = [known for known in islice(like, MOST_SUGGESTED) if may_see(known)]
        raise UsageError(f"{shown!r} is not in the inventory{did_you_mean(name, visible)}", reason="inventory")

    def has(self, name: str) -> bool:
        """Tell whether this is a host of the inventory or a recorded case."""
        return name in self.inventory.hosts or bool(CASE.fullmatch(name))

    def require_form(self, name: str) -> None:
        """Refuse what can be no name of an inventory, whatever stands in this one. Raises UsageError `host_name`."""
        if not CASE.fullmatch(name) and (not NAME.fullmatch(name) or name in LOCAL):
            raise UsageError(
                f"{safe_text(name, 60)!r} is not an inventory name: letters, digits, '.', '_', '-'; no localhost",
                reason="host_name",
            )

    def target(self, name: str) -> TargetName:
        """How the host is reached."""
        return self.inventory.hosts[name].target if name in self.inventory.hosts else parse_target(name)

    def resolve(self, names: Iterable[str], may_see: Callable[[str], bool] = lambda _name: True) -> tuple[str, ...]:
        """Each name once; `group:NAME` stands for the members that `may_see` shows. Raises UsageError as `require` does.

        A name that `may_see` does not show is returned whether it is there or not: the policy refuses each of them alike.
        """
        found: dict[str, None] = {}
        for name in names:
            if name.startswith(GROUP):
                found.update(dict.fromkeys(self._members(name.removeprefix(GROUP), may_see)))
                continue
            self.require_form(name)
            found[self.require(name, may_see) if may_see(name) else name] = None
        return tuple(found)

    def _members(self, group: str, may_see: Callable[[str], bool]) -> tuple[str, ...]:
        """The members of a group that `may_see` shows; one of which it shows none is none."""
        try:
            visible = tuple(entry.name for entry in self.inventory.of(group) if may_see(entry.name))
        except UsageError:
            visible = ()
        if not visible:
            message = f"no group {safe_text(group, 60)!r} in the inventory with hosts that you may ask about"
            raise UsageError(message, reason="inventory")
        return visible
