"""Collects facts from one host: starts the program over a transport, reads samples, and asks for more of them."""

import re
from collections.abc import Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import ParseError
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.engine.text import safe_text
from triagebook.runbooks.library.catalog import ContentCache
from triagebook.runbooks.probes import catalog
from triagebook.runbooks.probes.records import END, Sample, parse_samples
from triagebook.tools.collector import files, program, readings
from triagebook.tools.collector.readings import HostReading
from triagebook.tools.collector.stream import SampleStream
from triagebook.tools.log import log_event
from triagebook.tools.transport.base import Exit, FactTransport, HostProcess, LoginFailed, Session, Transport

_ANSWER_CAP = 1 << 21
_WATCH_CAP = 1 << 40  # each sample has its own cap
_NOTES_KEPT = 12
_INSTALLED_SAYS = "triagebook-collector/1 "
INSTALLED = re.compile(rf"^{_INSTALLED_SAYS}([0-9a-f]{{64}})\r?$", re.MULTILINE)  # the first line of installed.py's program


@dataclass(frozen=True)
class SampleTimeouts:
    """Seconds until a sample must be complete, and until a process must have ended."""

    first_sample_s: float = 20.0
    sample_s: float = 20.0
    finish_s: float = 3.0


def sample_timeouts_for(silent_s: float) -> SampleTimeouts:
    """The timeouts where somebody said for how long a host may be silent, in seconds: never less than the usual ones."""
    usual = SampleTimeouts()
    return SampleTimeouts(max(usual.first_sample_s, silent_s), max(usual.sample_s, silent_s), usual.finish_s)


@dataclass(frozen=True)
class Output:
    """What a program of the last round printed, as text, and how it ended."""

    stdout: str
    exit: Exit


@dataclass(frozen=True)
class Cost:
    """What the collection cost: bytes received, CPU of the one process on the host (None: not known), how it was done.

    `collector` is awk | sftp | installed | none. `forks` is 0 by construction: the login shell becomes the program.
    """

    bytes: int
    cpu_ms: float | None
    awk: str
    collector: str
    notes: tuple[str, ...] = ()
    forks: int = 0


class HostReader:
    """A host being read: its samples so far, and the session they came by. Made by `start`."""

    def __init__(
        self, host: str, process: HostProcess, kinds: Sequence[str], timeouts: SampleTimeouts, argv: Sequence[str]
    ) -> None:
        self._host = host
        self.session: Session = process.session
        self.kinds = tuple(kinds)
        self.samples: tuple[Sample, ...] = ()
        self._timeouts = timeouts
        self._argv = tuple(argv)
        self._stream = SampleStream(process)
        self._notes: list[str] = []
        self._bytes_before = 0
        self._is_by_files = False
        self._installed = ""
        self._read_first()

    def take_sample(self, suspects: Sequence[int] = (), *, asked: Sequence[str] = (), is_brief: bool = False) -> None:
        """Take one more sample; `suspects` are PIDs to read in full, however far from a limit. Never raises.

        `asked` are kinds that cost too much to be read in every sample (of `kinds`), and are read in this one.
        A brief one costs the host half: a process that has not run since is what it was; its cgroup, its limits and the
        memory it has, which others may change, are read anew in every twelfth only (processes.awk tells all). A sample that
        does not come is there, empty and incomplete, and `cost.notes` says why.
        """
        n = self.samples[-1].n + 1
        if self._is_by_files:
            self._add(files.read_sample(self._read_files, self.kinds, n))
            return
        more = [f"+{kind}" for kind in asked if kind in self.kinds]
        line = " ".join(["sample", *(["brief"] if is_brief else []), *more, *(str(pid) for pid in suspects if pid > 0)]) + "\n"
        try:
            if self._stream.has_ended:
                raise OSError("the program has ended")
            self._stream.process.write(line.encode("ascii"))
        except OSError as error:
            self._note(f"sample {n}: {error}")
            self._add(Sample(n, (), is_complete=False))
            return
        self._read(n, self._timeouts.sample_s)

    def drop_old_samples(self, keep: int = 2) -> None:
        """Keep the newest samples and notes only: a watch would fill memory."""
        self.samples = self.samples[-keep:]
        del self._notes[:-_NOTES_KEPT]

    def poll_keepalive(self) -> None:
        """Between samples: answer the host's signs of life, and notice that the connection broke (`has_ended`)."""
        if not self._is_by_files:
            self._stream.poll_keepalive()

    @property
    def has_ended(self) -> bool:
        """The program is gone: no further sample will come."""
        return not self._is_by_files and self._stream.has_ended

    def run(self, argv: Sequence[str], timeout_s: float) -> Output | Unreadable:
        """Run one more program on the same session. That it cannot be started is evidence, so it is an answer."""
        log_event("collector.run", host=self._host, program=argv[0])
        if self._installed:
            return Unreadable(f"{argv[0]}: this account may run the installed collector only")
        try:
            stream = SampleStream(self.session.start(tuple(argv), cap_bytes=_ANSWER_CAP), cap_bytes=_ANSWER_CAP)
            printed = stream.read_all(timeout_s)
            ended = stream.process.finish(self._timeouts.finish_s)
        except LoginFailed as failed:
            return Unreadable(f"{argv[0]} could not be started: {safe_text(failed.login.message or str(failed), 200)}")
        except (OSError, TimeoutError) as error:
            return Unreadable(f"{argv[0]} could not be run: {safe_text(str(error), 200)}")
        if not stream.has_ended:
            return Unreadable(f"{argv[0]}: {stream.why}")
        if ended.status in {126, 127}:
            return Unreadable(f"{argv[0]} cannot be run there (exit status {ended.status})")
        return Output(printed, ended)

    def look(self, reading: HostReading, timeout_s: float) -> Output | Unreadable:
        """Read what a change would start from: by a program, or by the installed collector's own look."""
        if not self._installed:
            return self.run(reading.argv, timeout_s)
        try:
            self._stream.process.write(f"{reading.pace_line}\n".encode("ascii"))
        except OSError as error:
            return Unreadable(f"{reading.name}: {error}")
        found = reading.parse_answer(self._stream.read_record(readings.DONE, timeout_s, _ANSWER_CAP))
        if found is None:
            return Unreadable(f"{reading.name}: the installed collector did not read it: {self._stream.why or 'no whole answer'}")
        return Output(found[0], Exit(found[1], b""))

    @property
    def truncated_kinds(self) -> tuple[str, ...]:
        """The kinds of the last sample whose records did not all fit into the answer; all, when that was cut short."""
        last = self.samples[-1]
        named = (kind for kind in last.end.get("truncated", "").split(",") if kind in self.kinds)
        return tuple(named) if last.is_complete else self.kinds

    @property
    def cost(self) -> Cost:
        """What it has cost so far."""
        ends = [sample.end for sample in self.samples if sample.is_complete]
        cpu_us = ends[-1].get("cpu_us", "") if ends else ""
        return Cost(
            bytes=self._bytes_before + self._stream.received,
            cpu_ms=int(cpu_us) / 1000 if cpu_us.isdecimal() and len(cpu_us) < 16 else None,
            awk=ends[-1].get("awk", "") if ends else "",
            collector=self._method(),
            notes=tuple(self._notes),
        )

    def close(self) -> None:
        """End the session, and with it the program: its input ends. Nobody waits for its last word, a round trip away."""
        self.session.close()

    def _method(self) -> str:
        if self._is_by_files:
            return "sftp"
        return "none" if not self._stream.tag else "installed" if self._installed else "awk"

    def _read_first(self) -> None:
        self._read(1, self._timeouts.first_sample_s)
        if self.samples[0].is_complete or not self._stream.has_ended:
            return
        ended = self._finish()
        self._note(f"the program ended early: {_end(ended)}")
        if self._stream.tag:
            self._restart()
        if not self.samples[0].is_complete and not self._stream.tag:
            self._fall_back()

    def _restart(self) -> None:
        """Once: some awks die of a process that vanishes between the opening and the reading of its file."""
        try:
            process = self.session.start(self._argv, cap_bytes=_ANSWER_CAP)
        except (LoginFailed, OSError) as error:
            self._note(f"it could not be started again: {error}")
            return
        self._bytes_before += self._stream.received
        self._stream = SampleStream(process)
        before, self.samples = self.samples, ()
        self._read(1, self._timeouts.first_sample_s)
        self.samples = max(self.samples, before, key=lambda samples: (samples[0].is_complete, len(samples[0].records)))

    def _fall_back(self) -> None:
        sample = files.read_sample(self._read_files, self.kinds, 1)
        values = [field for record in sample.records if record.kind != END for field in record.fields if "=" in field]
        if not values:
            self._note("no file could be read either (SFTP)")
            return
        self._is_by_files = True
        self.samples = (sample,)
        log_event("collector.fallback", host=self._host, values=len(values))
        self._note("facts were read as files (SFTP): what needs a program on the host is unknown")

    def _read_files(self, paths: Sequence[str]) -> dict[str, bytes | str]:
        try:
            found = dict(self.session.read_files(paths))
        except (LoginFailed, OSError) as error:
            self._note(f"files could not be read: {error}")
            return {}
        self._bytes_before += sum(len(value) for value in found.values() if isinstance(value, bytes))
        return found

    def _read(self, n: int, timeout_s: float) -> None:
        text = self._stream.read_sample(n, timeout_s)
        if _INSTALLED_SAYS in text and (found := INSTALLED.search(text)):  # a line's beginning is slow to look for
            self._installed = found[1]
            self._note(f"the host's installed collector {found[1][:12]} answered")
        if self._stream.why:
            self._note(f"sample {n}: {self._stream.why}")
        try:
            samples = {sample.n: sample for sample in parse_samples(text)}
        except ParseError as error:
            if self._stream.tag:
                self._note(str(error))
            samples = {}
        self._add(samples.get(n, Sample(n, (), is_complete=False)))

    def _add(self, sample: Sample) -> None:
        self.samples = (*self.samples, sample)
        event = "collector.sample" if sample.is_complete else "collector.cut"
        log_event(event, host=self._host, sample=sample.n, records=len(sample.records), received_bytes=self._stream.received)

    def _finish(self) -> Exit | None:
        try:
            return self._stream.process.finish(self._timeouts.finish_s)
        except (OSError, TimeoutError):
            return None

    def _note(self, text: str) -> None:
        self._notes.append(safe_text(text, 300))
        log_event("collector.note", host=self._host, says=text)


def start(
    transport: Transport,
    host: str,
    kinds: Sequence[str],
    *,
    timeouts: SampleTimeouts | None = None,
    cpu_limit_s: int | None = 8,
    cache: ContentCache | None = None,
) -> HostReader:
    """Connect, start the program and read the first sample. The program then waits for `take_sample`, until `close`.

    `cpu_limit_s` bounds the CPU of the whole collection on the host; None for a watch, which sets its own pace and may take
    brief samples. `cache` keeps the program for the next run.

    Raises:
        LoginFailed: no session. UsageError: unknown host, unreadable key. RunbookError: an unknown kind.
    """
    if isinstance(transport, FactTransport):
        return HostReader(host, transport.collect(host, kinds), kinds, timeouts or SampleTimeouts(), ())
    argv = program.command(
        program.build(tuple(kinds), is_watch=cpu_limit_s is None, cache=cache), program.launcher(cpu_limit_s=cpu_limit_s)
    )
    process = transport.launch(host, argv, cap_bytes=_ANSWER_CAP if cpu_limit_s is not None else _WATCH_CAP)
    log_event("collector.started", host=host, program_bytes=len(argv[-1]), kinds=len(kinds))
    return HostReader(host, process, kinds, timeouts or SampleTimeouts(), argv)


def parse(kinds: Sequence[str], samples: Sequence[Sample]) -> dict[str, object]:
    """The facts of each kind; of one that is read where it is asked only, there are none before."""
    return {kind: catalog.load(kind).parse(samples) for kind in kinds if _was_read(kind, samples[-1])}


def _was_read(kind: str, sample: Sample) -> bool:
    if not getattr(catalog.load(kind).FACTS, "IS_ASKED", False):
        return True
    return bool(sample.of(kind)) or f"cut.{kind}" in sample.end


def _end(ended: Exit | None) -> str:
    if ended is None:
        return "no exit status"
    said = ended.stderr.decode("utf-8", errors="replace").strip()
    return f"exit status {ended.status}" + (f", {safe_text(said, 200)}" if said else "")
