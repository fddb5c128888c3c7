"""Putting the parts together for a person's command line: catalogue, transports, service, watch."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.library.catalog import Catalog, catalog
from triagebook.tools.diagnosis.runbook_choice import DefaultRunbooks, runbooks_by_default
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.files import FileCache
from triagebook.tools.inventory.target import TargetName, parse_target
from triagebook.tools.settings import Settings, config_file, has_watch, read_settings, recent_logins_file
from triagebook.tools.sites.reach import Sites
from triagebook.tools.transport.base import Timeouts, Transport, timeouts_for
from triagebook.tools.transport.local import LocalTransport

if TYPE_CHECKING:
    from triagebook.tools.ssh.transport import SshTransport

REPLAY = "replay"  # TargetName.kind of a recorded case
SOME_CASES = 8  # of a runbook, in a list of all runbooks
TRANSPORTS = ("ssh", "openssh")
WATCH_S = 10 * 365 * 86400.0  # a watch ends when its host or its person does


def settings() -> Settings:
    """The person's configuration."""
    return read_settings()


def default_runbook(settings: Settings, available: Catalog) -> str:
    """The one runbook of faces that ask one: the configured one, else the first of those asked together."""
    return settings.default_runbook or runbooks_by_default(default_runbooks(settings), available)[0]


def default_runbooks(settings: Settings) -> DefaultRunbooks:
    """The runbooks that are asked together where none is named: those of `triage:` in the configuration, else all."""
    return DefaultRunbooks(settings.triage, "configured") if settings.triage else DefaultRunbooks()


def runbooks(settings: Settings) -> Catalog:
    """The product's runbooks and the configured ones. Raises UsageError: a configured folder that is not there."""
    for folder in settings.runbook_paths:
        if not folder.is_dir():
            raise UsageError(f"runbook_paths in config.yaml: no folder {folder} (a relative one is relative to that file)")
    return catalog(settings.runbook_paths, FileCache(settings.cache / "runbooks") if settings.cache else None)


def service(
    settings: Settings,
    *,
    transport: str = "ssh",
    ssh_config: str = "",
    silent_s: float = 0.0,
    dialing: "SshTransport | None" = None,
    sites: Sites | None = None,
) -> Service:
    """A service for this person: their ssh configuration, their keys, their known hosts. A running watch is asked first.

    `silent_s` is how long a host may be silent, instead of what the configuration says; `dialing` is the transport that has begun
    to connect (`early_connect.dial`); `sites` is shared with others that ask sites.
    """
    silent_s = silent_s or settings.timeout_s
    timeouts = timeouts_for(silent_s)
    ordinary = transports(settings, transport=transport, ssh_config=ssh_config, timeouts=timeouts, dialing=dialing, sites=sites)

    def transport_for(target: TargetName) -> Transport:
        if target.site or not has_watch(settings):
            return ordinary(target)
        socket = watch_socket(settings, target, ssh_config)
        if socket is None or not socket.exists():
            return ordinary(target)
        from triagebook.tools.transport.watch_session import WatchTransport  # noqa: PLC0415 - 10 ms: where a watch runs

        return WatchTransport(socket, ordinary(target))

    return Service(
        runbooks(settings),
        transport_for,
        default=default_runbooks(settings),
        accept_unknown=settings.accept_unknown,
        silent_s=silent_s,
    )


def watch_timeouts(settings: Settings) -> Timeouts:
    """The timeouts of a session that is kept open."""
    return replace(timeouts_for(settings.timeout_s), session_s=WATCH_S)


def transports(
    settings: Settings,
    *,
    transport: str = "ssh",
    ssh_config: str = "",
    timeouts: Timeouts | None = None,
    dialing: "SshTransport | None" = None,
    sites: Sites | None = None,
) -> Callable[[TargetName], Transport]:
    """The ordinary transport to each host, made once for all of them. Raises UsageError: no such transport."""
    if transport not in TRANSPORTS:
        raise UsageError(f"unknown transport {transport!r} (one of: {', '.join(TRANSPORTS)})")
    config = config_file(settings, ssh_config)
    made: dict[str, Transport] = {"ssh": dialing} if dialing is not None else {}
    sites = sites or sites_of(settings)

    def transport_for(target: TargetName) -> Transport:
        if target.site:
            return sites.transport(target, timeouts)
        kind = "local" if target.kind == "local" else transport
        if kind not in made:
            made[kind] = _make(kind, settings, config, timeouts)
        return made[kind]

    return transport_for


def sites_of(settings: Settings) -> Sites:
    """The way to the hosts of sites. Nothing is connected before one is asked."""
    return Sites(settings.sites, settings.state)


def _make(kind: str, settings: Settings, config: Path | None, timeouts: Timeouts | None) -> Transport:
    if kind == "local":
        return LocalTransport(timeouts)
    if kind == "openssh":
        from triagebook.tools.ssh.openssh import OpensshTransport  # noqa: PLC0415 - 15 ms: for --transport openssh

        return OpensshTransport(config_file=config, timeouts=timeouts)
    from triagebook.tools.ssh.transport import SshTransport  # noqa: PLC0415 - 15 ms: not for this machine

    return SshTransport(config_file=config, recent_logins_file=recent_logins_file(settings), timeouts=timeouts)


def targets(settings: Settings, words: Sequence[str], ssh_config: str = "") -> tuple[TargetName, ...]:
    """The hosts a person named, each once; `@GROUP` and the names of inventory files among them. Raises UsageError."""
    if any(word == f"{REPLAY}:" for word in words):
        raise _which_case(settings)
    has_files = any(source != "ssh_config" and not source.startswith("ansible:") for source in settings.inventory)
    if not has_files and not any(word.startswith("@") for word in words):
        return tuple(parse_target(word) for word in dict.fromkeys(words))
    from triagebook.tools.inventory.sources import expand  # noqa: PLC0415 - 10 ms: where an inventory is asked

    return expand(words, settings.inventory, config_file(settings, ssh_config))


def _which_case(settings: Settings) -> UsageError:
    """Say how many recorded cases each runbook has, with some of them, and the command that lists all."""
    available = runbooks(settings)
    ids = dict.fromkeys(entry.id for entry in available.entries())
    shown = (_some_cases(name, [file.stem for file in available.find(name).cases]) for name in ids)
    return UsageError(
        f"{REPLAY}: needs the name of a recorded case, such as {REPLAY}:unit-tasksmax. There are:\n"
        + "\n".join(shown)
        + "\nAll of one: triagebook runbook show RUNBOOK",
        reason="usage",
    )


def _some_cases(runbook: str, cases: Sequence[str]) -> str:
    """Return a line about the cases of a runbook; those with the shortest names are its plainest."""
    some = sorted(sorted(cases), key=len)[:SOME_CASES]
    return f"  {runbook}, {len(cases)} cases: {', '.join(some)}, ..."


def watch_socket(settings: Settings, target: TargetName, ssh_config: str) -> Path | None:
    """Where a watch of that host listens, if one runs. The ssh_config in use decides where a name leads."""
    if settings.runtime is None or target.kind == "replay":
        return None
    config = config_file(settings, ssh_config)
    destination = f"{target.reach}\0{config.resolve() if config else ''}"
    return settings.runtime / f"watch-{hashlib.sha256(destination.encode()).hexdigest()[:24]}.sock"
