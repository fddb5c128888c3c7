"""The names an assistant may say: hosts of the inventory, and recorded cases to try things out. No account, address or path."""

from collections.abc import Callable, Iterable
from dataclasses import field
from itertools import islice

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import did_you_mean, safe_text
from triagebook.tools.inventory.inventory import NAME, Inventory, InventoryHost
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
        if CASE.fullmatch(name):
            return name
        shown = safe_text(name, 60)
        if not NAME.fullmatch(name) or name in LOCAL:
            raise UsageError(
                f"{shown!r} is not an inventory name: letters, digits, '.', '_', '-'; no localhost", reason="host_name"
            )
        if name in self.inventory.hosts:
            return name
        if not self.inventory.hosts:
            raise UsageError(f"{shown!r}: no inventory is configured; {HINT}", reason="no_inventory")
        like = [known for known in self.inventory.hosts if known[:2].lower() == name[:2].lower()] or self.inventory.hosts
        visible = [known for known in islice(like, MOST_SUGGESTED) if may_see(known)]
        raise UsageError(f"{shown!r} is not in the inventory{did_you_mean(name, visible)}", reason="inventory")

    def target(self, name: str) -> TargetName:
        """How the host is reached."""
        return self.inventory.hosts[name].target if name in self.inventory.hosts else parse_target(name)

    def resolve(self, names: Iterable[str], may_see: Callable[[str], bool] = lambda _name: True) -> tuple[str, ...]:
        """Each name once; `group:NAME` stands for the members that `may_see` shows. Raises UsageError as `require` does."""
        found: dict[str, None] = {}
        for name in names:
            if name.startswith(GROUP):
                members = self._members(name.removeprefix(GROUP))
                found.update(dict.fromkeys(entry.name for entry in members if may_see(entry.name)))
            else:
                found[self.require(name, may_see)] = None
        return tuple(found)

    def _members(self, group: str) -> tuple[InventoryHost, ...]:
        try:
            return self.inventory.of(group)
        except UsageError:
            raise UsageError(f"no group {safe_text(group, 60)!r} in the inventory", reason="inventory") from None
