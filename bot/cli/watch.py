"""Run `triagebook watch`: sample hosts over open sessions until interrupted."""

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from triagebook.bot.cli.near_names import NearNames
from triagebook.bot.render.style import style_of
from triagebook.bot.render.terminal import write_json
from triagebook.bot.render.watch import Screen, clock, events, trend_line
from triagebook.runbooks.engine import model
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError, UsageError
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.runbooks.engine.quantities import as_duration
from triagebook.tools.collector import collect
from triagebook.tools.diagnosis import setup
from triagebook.tools.diagnosis.question import Question, checks_to_accept
from triagebook.tools.diagnosis.runbook_choice import runbooks_by_default
from triagebook.tools.inventory.target import TargetName
from triagebook.tools.settings import Settings
from triagebook.tools.transport.base import Transport
from triagebook.tools.watch.host_watch import CPU_SHARE, HostWatch
from triagebook.tools.watch.listener import WatchListener
from triagebook.tools.watch.observation import WatchUpdate
from triagebook.tools.watch.textfile import Textfile
from triagebook.tools.watch.watched_runbook import WatchedRunbook

MOST_HOSTS = 200
END_S = 3.0
NO_SESSION = 4


@dataclass(frozen=True)
class WatchOptions:
    """The options of `triagebook watch` as parsed from the command line. `samples` 0: no end."""

    hosts: tuple[str, ...]
    runbook: str = ""
    every_s: float = 10.0
    samples: int = 0
    as_json: bool = False
    textfile: str = ""
    transport: str = "ssh"
    ssh_config: str = ""
    host_cpu_percent: float = 100 * CPU_SHARE
    inventory: str = ""


def run(options: WatchOptions, out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Watch until interrupted, or until each host was sampled `samples` times; return the exit status."""
    out, err = out or sys.stdout, err or sys.stderr
    settings = setup.settings()
    settings = replace(settings, inventory=(options.inventory,)) if options.inventory else settings
    targets = _targets(settings, options)
    catalog = setup.runbooks(settings)
    named = options.runbook or settings.default_runbook
    names = (named,) if named else runbooks_by_default(setup.default_runbooks(settings), catalog)
    runbooks = [catalog.load(name) for name in names]
    timeouts = setup.watch_timeouts(settings)
    way = setup.transports(settings, transport=options.transport, ssh_config=options.ssh_config, timeouts=timeouts)
    seen: queue.Queue[WatchUpdate | None] = queue.Queue(maxsize=4 * len(targets) + 4)
    sample = collect.sample_timeouts_for(settings.timeout_s)
    watches = [_watch(target, _runbooks_for(runbooks, target, settings), way, sample, seen, options) for target in targets]
    listeners = []
    for target, watch in zip(targets, watches, strict=True):
        path = setup.watch_socket(settings, target, options.ssh_config)
        if path is not None:
            listeners.append(WatchListener(path, watch))
    face = _Face(options, out, NearNames(settings, options.ssh_config, err))
    threads: list[threading.Thread] = []
    with _end_on_sigterm(watches):
        try:
            for listener in listeners:
                _open(listener, err)
            threads += [_start(watch, options.samples, seen, err) for watch in watches]
            face.follow(seen, len(threads))
            status = 0 if all(face.is_reached(target.text) for target in targets) else NO_SESSION
        except KeyboardInterrupt:
            status = 0  # the way to end it
        finally:
            _end(watches, listeners, seen, threads)
            face.close()
    return status


def _targets(settings: Settings, options: WatchOptions) -> tuple[TargetName, ...]:
    """Return the hosts to watch. Raises UsageError: too many, or a recorded case."""
    targets = setup.targets(settings, options.hosts, options.ssh_config)
    recorded = next((target.text for target in targets if target.kind == "replay"), "")
    if recorded:
        raise UsageError(
            f"{recorded}: a recorded case does not change, so there is nothing to watch: triagebook diagnose {recorded}"
        )
    if len(targets) > MOST_HOSTS:
        raise UsageError(
            f"one watch takes at most {MOST_HOSTS} hosts, and these are {len(targets)}: start several, of a group each"
        )
    return targets


def _runbooks_for(runbooks: Sequence[model.Runbook], target: TargetName, settings: Settings) -> list[WatchedRunbook]:
    """Return the runbooks for one host, each with the checks whose unknown result is a caveat there."""
    questions = ((runbook, Question(target, runbook.name)) for runbook in runbooks)
    return [WatchedRunbook(runbook, checks_to_accept(runbook, asked, settings.accept_unknown)) for runbook, asked in questions]


def _watch(
    target: TargetName,
    watched: Sequence[WatchedRunbook],
    way: Callable[[TargetName], Transport],
    timeouts: collect.SampleTimeouts,
    seen: "queue.Queue[WatchUpdate | None]",
    options: WatchOptions,
) -> HostWatch:
    holder: list[HostWatch] = []

    def connect() -> collect.HostReader:
        return collect.start(way(target), target.reach, holder[0].kinds, cpu_limit_s=None, timeouts=timeouts)

    watch = HostWatch(
        target.text,
        watched,
        connect,
        seen.put,
        every_s=options.every_s,
        now=lambda: datetime.now(UTC),
        cpu_share=options.host_cpu_percent / 100,
    )
    holder.append(watch)
    return watch


def _open(listener: WatchListener, err: TextIO) -> None:
    try:
        listener.open()
    except UsageError as error:
        err.write(f"triagebook: `diagnose` cannot use the session of this watch: {error}\n")


def _start(watch: HostWatch, samples: int, seen: "queue.Queue[WatchUpdate | None]", err: TextIO) -> threading.Thread:
    def work() -> None:
        try:
            watch.run(samples)
        except TriagebookError as error:
            err.write(f"triagebook: {watch.host}: {error}\n")
        finally:
            seen.put(None)

    thread = threading.Thread(target=work, daemon=True, name=f"watch of {watch.host}")
    thread.start()
    return thread


@contextlib.contextmanager
def _end_on_sigterm(watches: list[HostWatch]) -> Iterator[None]:
    """Make SIGTERM end a watch as Ctrl-C does: sockets are removed and sessions closed."""

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(
    watches: list[HostWatch],
    listeners: list[WatchListener],
    seen: "queue.Queue[WatchUpdate | None]",
    threads: list[threading.Thread],
) -> None:
    """End all watches. Each thread closes its own session; one that hangs in a login is abandoned."""
    for listener in listeners:
        listener.close()
    for watch in watches:
        watch.stop()
    until = time.monotonic() + END_S
    while any(thread.is_alive() for thread in threads) and time.monotonic() < until:
        with contextlib.suppress(queue.Empty):  # drained, so that no thread blocks on a full queue
            seen.get(timeout=0.05)


class _Face:
    """Prints observations as lines of text or JSON, and writes the metrics file."""

    def __init__(self, options: WatchOptions, out: TextIO, near: NearNames) -> None:
        self._as_json, self._out, self._near = options.as_json, out, near
        self._textfile = Textfile(Path(options.textfile)) if options.textfile else None
        is_screen = not options.as_json and out.isatty() and os.environ.get("TERM") != "dumb"
        self._screen = Screen(out, style_of(out)) if is_screen else None
        self._told: dict[str, tuple[str, ...]] = {}
        self._status: dict[str, str] = {}
        self._samples = options.samples

    def follow(self, seen: "queue.Queue[WatchUpdate | None]", watches: int) -> None:
        """Print observations until all watches have ended."""
        while watches:
            item = seen.get()
            if item is None:
                watches -= 1
            else:
                self._show(item)

    def _show(self, item: WatchUpdate) -> None:
        if self._textfile is not None:
            self._textfile.put(item, datetime.now(UTC).timestamp())
        observation = item.observation
        if observation.status == "unreachable" and observation.host not in self._status:
            self._near.tell(observation.host, observation.login)
        self._status[observation.host] = observation.status
        if self._as_json:
            write_json(self._out, to_plain(observation))
            return
        lines = events(observation, is_first=observation.host not in self._told)
        if observation.status == "unreachable" and lines and observation.sample != self._samples:
            lines[-1] += f" Next try in {as_duration(observation.cost.pace_s)}."
        before = self._told.get(observation.host, ())
        self._told[observation.host] = tuple(heading.what for heading in observation.trends)
        if self._screen is not None:
            self._screen.show(item, lines)
            return
        fresh = [heading for heading in observation.trends if heading.what not in before]
        lines += [f"{clock(observation.at)}  {observation.host}  TREND  {trend_line(heading)}" for heading in fresh]
        self._out.write("".join(f"{line}\n" for line in lines))
        self._out.flush()

    def is_reached(self, host: str) -> bool:
        """Whether the host had a session when it was looked at last."""
        return self._status.get(host, "unreachable") != "unreachable"

    def close(self) -> None:
        """Write the last metrics."""
        if self._textfile is not None:
            self._textfile.close()
