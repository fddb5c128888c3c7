"""Inventories others keep: the host names of an ssh_config, and Ansible's by its own program."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.inventory.inventory import NAME, Inventory, InventoryHost, merge, read_inventory
from triagebook.tools.inventory.target import LOCAL, TargetName, parse_target
from triagebook.tools.log import log_event
from triagebook.tools.ssh.config import SYSTEM_CONFIG, LocalAccount
from triagebook.tools.ssh.config_file import aliases

SSH_CONFIG, ANSIBLE = "ssh_config", "ansible:"
ANSIBLE_S = 120.0
MOST_BYTES = 64 << 20


def load(sources: Sequence[str], ssh_config: Path | None = None) -> Inventory:
    """Every configured source as one inventory. `ssh_config` is the file in use (None: the person's own).

    Raises UsageError naming the source and what is wrong with it.
    """
    return merge(_source(source, ssh_config) for source in sources)


def _source(source: str, ssh_config: Path | None) -> Inventory:
    found = _read_source(source, ssh_config)
    log_event("inventory.read", source=source, hosts=len(found.hosts))
    for says in found.warnings:
        log_event("inventory.doubtful", says=says)
    return found


def _read_source(source: str, ssh_config: Path | None) -> Inventory:
    if source == SSH_CONFIG:
        return from_ssh_config(ssh_config)
    if source.startswith(ANSIBLE):
        return from_ansible(Path(source.removeprefix(ANSIBLE)).expanduser())
    return read_inventory(Path(source).expanduser())


def from_ssh_config(file: Path | None = None, account: LocalAccount | None = None) -> Inventory:
    """The names of its Host lines that are names: no wildcard, no negation. Raises UsageError."""
    account = account or LocalAccount.own()
    files = [(file, True)] if file else [(account.home / ".ssh" / "config", False), (SYSTEM_CONFIG, False)]
    names = [name for name in aliases(files, account.name, account.home) if NAME.fullmatch(name)]
    return Inventory({name: InventoryHost(name, sources=(SSH_CONFIG,)) for name in names})


def from_ansible(inventory: Path, program: str = "ansible-inventory") -> Inventory:
    """What `ansible-inventory --list` prints for that inventory. Raises UsageError."""
    argv = (program, "--list", "--inventory", str(inventory))
    try:
        done = subprocess.run(argv, capture_output=True, timeout=ANSIBLE_S, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise UsageError(f"{program}: {error.strerror}; it comes with ansible-core") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"{program}: no end after {ANSIBLE_S:g} s") from None
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    if done.returncode != 0:
        raise UsageError(f"{program}: exit status {done.returncode}: {safe_text(said[-1] if said else '', 300)}")
    if len(done.stdout) > MOST_BYTES:
        raise UsageError(f"{program}: printed more than {MOST_BYTES >> 20} MiB")
    try:
        return parse_ansible(json.loads(done.stdout), f"{ANSIBLE}{inventory}")
    except ValueError:
        raise UsageError(f"{program}: what it printed is not JSON") from None


def parse_ansible(data: object, source: str) -> Inventory:
    """The groups and host variables of a dynamic inventory in JSON. Hosts whose names no ssh takes are left out.

    Raises ValueError: not such an inventory.
    """
    if not isinstance(data, dict):
        raise ValueError("not an inventory")
    meta = data.get("_meta")
    variables: Mapping[str, Any] = meta.get("hostvars", {}) if isinstance(meta, dict) else {}
    hosts: dict[str, InventoryHost] = {}
    groups: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for group, value in data.items():
        if group == "_meta" or not isinstance(value, dict):
            continue
        members = tuple(name for name in value.get("hosts", ()) if isinstance(name, str) and NAME.fullmatch(name))
        for name in members:
            hosts.setdefault(name, InventoryHost(name, _ssh_of(name, variables.get(name)), (source,)))
        if group not in ("all", "ungrouped") and NAME.fullmatch(group):
            inner = tuple(name for name in value.get("children", ()) if isinstance(name, str) and name in data)
            groups[group] = (members, inner)
    known = {name: (members, tuple(one for one in inner if one in groups)) for name, (members, inner) in groups.items()}
    return Inventory(hosts, known)


def _ssh_of(name: str, variables: object) -> str:
    """`[user@]address[:port]` where Ansible reaches the host by another name, user or port than ssh would."""
    if not isinstance(variables, dict):
        return ""
    host = str(variables.get("ansible_host") or variables.get("ansible_ssh_host") or name)
    user, port = variables.get("ansible_user") or variables.get("ansible_ssh_user"), variables.get("ansible_port")
    text = f"{user}@{host}" if user else host
    text = f"{text}:{port}" if port and str(port) != "22" and ":" not in host else text
    if text == name:
        return ""
    try:
        parse_target(text)
    except UsageError:
        return ""
    return text


def expand(words: Sequence[str], sources: Sequence[str], ssh_config: Path | None = None) -> tuple[TargetName, ...]:
    """What a person wrote, as targets, each once: `@GROUP`, a name of our own files, or any name that ssh knows.

    Others' inventories are read for a group only: a plain name needs none of them. Raises UsageError: also where all
    groups are empty.
    """
    own = [source for source in sources if source != SSH_CONFIG and not source.startswith(ANSIBLE)]
    wants_group = any(word.startswith("@") for word in words)
    inventory = load(sources if wants_group else own, ssh_config)
    found: dict[str, TargetName] = {}
    for word in words:
        if word.startswith("@"):
            found.update((entry.name, _target(entry)) for entry in inventory.of(word[1:]))
        else:
            entry = inventory.hosts.get(word)
            found[word] = _target(entry) if entry is not None else parse_target(word)
    if words and not found:
        raise UsageError(say_no_hosts(words, sources), reason="group")
    return tuple(found.values())


def _target(entry: InventoryHost) -> TargetName:
    """The target of an entry; `localhost` is this machine in an inventory too, where no address and no site is written."""
    if entry.name in LOCAL and not entry.ssh and not entry.site:
        return replace(entry.target, kind="local")
    return entry.target


def say_no_hosts(groups: Sequence[str], sources: Sequence[str]) -> str:
    """Say that these groups are empty, which sources were read, and where hosts are written."""
    read = ", ".join(sources) or "nowhere"
    return f"no hosts in {', '.join(groups)} (read from: {read}): add some, see docs/how-to/configure.md"
