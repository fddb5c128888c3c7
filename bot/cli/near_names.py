"""Says which name of the inventory was probably meant, when a name has no address."""

from dataclasses import field
from typing import TextIO

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import LoginResult
from triagebook.runbooks.engine.text import nearest, safe_text
from triagebook.tools.inventory.inventory import Inventory
from triagebook.tools.inventory.sources import load
from triagebook.tools.settings import Settings, config_file


@dataclass
class NearNames:
    """Reads the inventory once a name could not be resolved, and tells the nearest name that it has."""

    settings: Settings
    ssh_config: str
    err: TextIO
    read: list[Inventory] = field(default_factory=list)

    def tell(self, word: str, login: LoginResult) -> None:
        """Tell the nearest name if this host's name has no address, and whatever the inventory says of it is doubtful."""
        if login.phase != "resolve":
            return
        if not self.read:
            self.read.append(load(self.settings.inventory, config_file(self.settings, self.ssh_config)))
        inventory = self.read[0]
        account, at, name = word.rpartition("@")
        near = nearest(word, [f"{account}{at}{known}" for known in inventory.hosts if known != name])
        if near is not None:
            known = "" if name in inventory.hosts else ", and the inventory does not have it"
            self.err.write(f"triagebook: {safe_text(word, 80)} has no address{known} (did you mean {near!r}?)\n")
        doubts = [says for says in inventory.warnings if repr(name) in says]
        for says in doubts:
            self.err.write(f"triagebook: {safe_text(says, 400)}\n")
