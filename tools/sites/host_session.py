"""One host that a worker has logged in to for a server: reads what the vocabulary has, and passes a signed order on, once."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError, UsageError
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.library.catalog import ContentCache
from triagebook.runbooks.probes import catalog as probes
from triagebook.tools.collector import collect
from triagebook.tools.collector.collect import HostReader, Output
from triagebook.tools.collector.fixed_argv import is_lookup
from triagebook.tools.collector.readings import HostReading
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.sites import wire
from triagebook.tools.sites.transport import HOLD_S, LONGEST_HOLD_S
from triagebook.tools.transport.base import HostProcess, LoginFailed, Transport
from triagebook.tools.transport.watch_session import sample_text

RUN_S = 30.0
LOOK_S = 60.0
MOST_SUSPECTS, MOST_KINDS, MOST_WORDS, MOST_STDERR = 64, 100, 64, 2000
ORDER_S = 900.0  # as HelperLink waits for an answer
MOST_ORDER = 64 << 10
GLANCE_S = 0.005
CAP_BYTES = 1 << 16
CPU_LIMIT_S = 8
Message = Mapping[str, Any]


@dataclass(frozen=True)
class Ways:
    """How a worker reaches hosts: to read, and, with another key, the helper of a host. `helper` is the program that starts it."""

    read: Transport
    fix: Transport | None = None
    account: str = ""  # the fixing account; empty: the one of the ssh configuration
    helper: tuple[str, ...] = ()
    cache: ContentCache | None = None
    timeouts: collect.SampleTimeouts = collect.SampleTimeouts()


class HostSession:
    """What a server asked about one host. `answer` answers one message after the other, until `is_over`."""

    def __init__(self, ways: Ways, asked: Message) -> None:
        self._ways, self._asked = ways, asked
        self.id = secrets.token_hex(8)
        self.host = wire.text_of(asked, "host", 300)
        held = asked.get("hold_s")
        self.hold_s = min(max(float(held), 1.0), LONGEST_HOLD_S) if isinstance(held, (int, float)) else HOLD_S
        self._tag = ""
        self._reader: HostReader | None = None
        self._helper: HostProcess | None = None
        self.is_over = False

    def open(self) -> dict[str, object]:
        """Log in, and answer the question that began it. A failure is an answer too."""
        opened = self._try({"read": self._read, "helper": self._start_helper}, self._asked)
        self.is_over = "session" not in opened
        return opened

    def answer(self, message: Message) -> dict[str, object]:
        """Answer what follows."""
        if self._helper is not None:
            return self._try({"glance": self._glance, "order": self._order}, message)
        return self._try({"sample": self._sample, "run": self._run, "look": self._look}, message)

    def keep_alive(self) -> None:
        """Answer the host's signs of life while nothing is asked; a connection that broke meanwhile ends the session."""
        if self._reader is not None:
            self._reader.poll_keepalive()
            self.is_over = self._reader.has_ended

    def close(self) -> None:
        """Log out."""
        self.is_over = True
        if self._reader is not None:
            self._reader.close()
        if self._helper is not None:
            self._helper.session.close()

    def _try(self, known: Mapping[str, Callable[[Message], dict[str, object]]], message: Message) -> dict[str, object]:
        do = known.get(wire.text_of(message, "ask", 20))
        if do is None:
            return {"error": "it is asked for something that a worker does not do"}
        try:
            return do(message)
        except LoginFailed as failed:
            return {"login": {"phase": failed.login.phase, "outcome": failed.login.outcome}, "error": str(failed)}
        except TriagebookError as error:
            return {"error": str(error), "reason": error.reason}

    def _read(self, asked: Message) -> dict[str, object]:
        kinds = wire.words_of(asked, "kinds", MOST_KINDS)
        for kind in kinds:
            if kind not in probes.kinds() or not probes.is_collected(kind):
                raise UsageError(f"its worker cannot read {kind!r}: it runs another release of triagebook than the server")
        reach = wire.text_of(asked, "reach", 600)
        if parse_target(reach).kind != "remote":
            raise UsageError("a worker reaches hosts over SSH only")
        limit = CPU_LIMIT_S if self.hold_s <= HOLD_S else None
        self._reader = collect.start(
            self._ways.read, reach, kinds, cpu_limit_s=limit, timeouts=self._ways.timeouts, cache=self._ways.cache
        )
        route = self._reader.session.route
        return {
            **self._newest(asked),
            "session": self.id,
            "transport": route.transport,
            "host_key": route.host_key,
            "timings_ms": dict(route.timings_ms),
            "notes": [*route.notes, *self._reader.cost.notes],
        }

    def _sample(self, asked: Message) -> dict[str, object]:
        pids = asked.get("suspects")
        suspects = [pid for pid in pids if isinstance(pid, int) and 0 < pid < 1 << 23] if isinstance(pids, list) else []
        reader = self._require_reader()
        kinds, is_brief = wire.words_of(asked, "asked", MOST_KINDS), asked.get("brief") is True
        reader.take_sample(suspects[:MOST_SUSPECTS], asked=kinds, is_brief=is_brief)
        reader.drop_old_samples()
        return self._newest(asked)

    def _newest(self, asked: Message) -> dict[str, object]:
        """Return the newest sample, with the number and tag of the question."""
        n, tag, sample = asked.get("n"), wire.text_of(asked, "tag", 64), self._require_reader().samples[-1]
        if not isinstance(n, int) or not 0 < n < 1_000_000 or not (tag or self._tag).isalnum():
            raise UsageError("a malformed question")
        self._tag = tag or self._tag
        return {"text": sample_text(n, self._tag, [(record.kind, record.fields) for record in sample.records])}

    def _run(self, asked: Message) -> dict[str, object]:
        argv = wire.words_of(asked, "argv", MOST_WORDS)
        if not argv or not is_lookup(argv):
            raise UsageError("a worker runs the commands of lookups only, as its own release has them")
        return _output(self._require_reader().run(argv, RUN_S))

    def _look(self, asked: Message) -> dict[str, object]:
        reading = HostReading(wire.text_of(asked, "name", 40), wire.words_of(asked, "subjects", MOST_WORDS))
        return _output(self._require_reader().look(reading, LOOK_S))

    def _require_reader(self) -> HostReader:
        if self._reader is None:
            raise UsageError("this session reads nothing")
        return self._reader

    def _start_helper(self, asked: Message) -> dict[str, object]:
        if self._ways.fix is None:
            raise UsageError("its workers carry out no fixes: they have no key of the fixing account")
        name = parse_target(wire.text_of(asked, "reach", 600)).host
        account = self._ways.account
        destination = f"{account}@{name}" if account else name
        self._helper = self._ways.fix.launch(destination, self._ways.helper, cap_bytes=CAP_BYTES)
        return {"session": self.id}

    def _glance(self, _asked: Message) -> dict[str, object]:
        """Say whether the helper still waits for its order, or what it said instead."""
        assert self._helper is not None  # noqa: S101 - see `answer`
        try:
            return {"text": self._helper.read(GLANCE_S).decode("ascii", "replace")}
        except TimeoutError:
            return {"waits": True}
        except OSError as error:
            return {"text": str(error)}

    def _order(self, asked: Message) -> dict[str, object]:
        """Pass the message on, once: the session is over afterwards."""
        assert self._helper is not None  # noqa: S101 - see `answer`
        self.is_over = True
        message = wire.text_of(asked, "message", MOST_ORDER)
        try:
            self._helper.write(message.encode("ascii", "replace"))
            ended = self._helper.finish(ORDER_S)
            output = b"".join(iter(lambda: self._helper.read(ORDER_S), b""))  # type: ignore[union-attr]
        except (OSError, LoginFailed) as error:
            return {"error": f"the order was passed on and its answer was lost: {error}", "reason": "lost"}
        said = ended.stderr[:MOST_STDERR].decode("utf-8", "replace")
        return {"text": output.decode("ascii", "replace"), "ended": ended.ended, "detail": ended.detail, "stderr": said}


def _output(found: Output | Unreadable) -> dict[str, object]:
    if isinstance(found, Unreadable):
        return {"error": found.reason, "reason": "unreadable"}
    return {"text": found.stdout, "status": found.exit.status or 0}
