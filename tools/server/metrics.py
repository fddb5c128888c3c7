"""Collects metrics for Prometheus: counts log events, and reads present states from the database.

Labels are of closed sets: states, reasons, actions, runbooks. No host, account or person is in them.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, PlatformCollector, ProcessCollector, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.fixes.approval_server import ApprovalServer
from triagebook.tools.log import ERROR
from triagebook.tools.server.readiness import OK
from triagebook.tools.store.figures import Figures, read_figures

CONTENT_TYPE = CONTENT_TYPE_LATEST
DIAGNOSIS_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)
PHASE_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
Context = Mapping[str, object]


class Metrics(logging.Handler):
    """Counts events as a log handler, and renders all metrics."""

    def __init__(self, server: ApprovalServer, ready: Callable[[], Mapping[str, str]]) -> None:
        """Take `ready`, which returns `ok` or a reason code for each check."""
        super().__init__()
        disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each counter, which nobody asks for
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        registry.register(_State(server, ready))
        self._requests = Counter("triagebook_requests", "Requests answered", ("channel", "action", "outcome"), registry=registry)
        self._decisions = Counter(
            "triagebook_decisions", "Decisions of the policy", ("asked", "allowed", "reason"), registry=registry
        )
        self._diagnoses = Counter("triagebook_diagnoses", "Diagnoses concluded", ("runbook", "status"), registry=registry)
        self._diagnosis_s = Histogram(
            "triagebook_diagnosis_seconds", "Duration of a diagnosis", ("runbook",), registry=registry, buckets=DIAGNOSIS_S
        )
        self._phase_s = Histogram(
            "triagebook_ssh_phase_seconds",
            "Duration of a phase of a connection",
            ("phase", "outcome"),
            registry=registry,
            buckets=PHASE_S,
        )
        self._logins = Counter("triagebook_ssh_logins_failed", "Logins that failed", ("phase", "outcome"), registry=registry)
        self._strangers = Counter(
            "triagebook_credentials_refused", "Tokens and signatures that proved nothing", ("channel", "reason"), registry=registry
        )
        self._orders = Counter("triagebook_orders", "Orders to helpers, by what became of them", ("result",), registry=registry)
        self._errors = Counter("triagebook_errors", "Events of the log that are errors", ("event",), registry=registry)

    def emit(self, record: logging.LogRecord) -> None:
        """Count an event. A defect in counting never stops the caller."""
        with contextlib.suppress(Exception):
            self._count(record, getattr(record, "event", ""), getattr(record, "context", {}))

    def _count(self, record: logging.LogRecord, event: str, context: Context) -> None:
        if record.levelno >= ERROR:
            self._errors.labels(event or "library").inc()
        if (count := self._counters.get(event)) is not None:
            count(self, context)
        elif event.startswith("ssh.") and event.endswith((".complete", ".failed")):
            self._count_phase(event.split(".")[1], event.split(".")[2], context)

    def render(self) -> bytes:
        """Return all metrics in the text format."""
        return generate_latest(self._registry)

    def _count_request(self, context: Context) -> None:
        self._requests.labels(*_texts(context, "channel", "action", "outcome")).inc()

    def _count_call(self, context: Context) -> None:
        self._requests.labels("mcp", *_texts(context, "tool", "outcome")).inc()

    def _count_delivery(self, context: Context) -> None:
        self._requests.labels("slack", *_texts(context, "kind", "outcome")).inc()

    def _count_decision(self, context: Context) -> None:
        asked, reason = _texts(context, "asked", "reason")
        self._decisions.labels(asked, "yes" if context.get("allowed") else "no", reason).inc()

    def _count_diagnosis(self, context: Context) -> None:
        runbook, status = _texts(context, "runbook", "status")
        self._diagnoses.labels(runbook, status).inc()
        self._diagnosis_s.labels(runbook).observe(_seconds(context))

    def _count_phase(self, phase: str, outcome: str, context: Context) -> None:
        self._phase_s.labels(phase, outcome).observe(_seconds(context))
        if outcome == "failed" and "outcome" in context:
            self._logins.labels(*_texts(context, "phase", "outcome")).inc()

    def _count_answer(self, context: Context) -> None:
        self._orders.labels(*_texts(context, "result")).inc()

    _counters: Mapping[str, Callable[["Metrics", Context], None]] = {
        "server.request": _count_request,
        "mcp.call": _count_call,
        "slack.delivery": _count_delivery,
        "slack.delivery_failed": _count_delivery,
        "policy.decision": _count_decision,
        "diagnosis.concluded": _count_diagnosis,
        "mcp.token_refused": lambda self, context: self._strangers.labels("mcp", *_texts(context, "reason")).inc(),
        "slack.signature_refused": lambda self, _context: self._strangers.labels("slack", "bad_signature").inc(),
        "execute.answered": _count_answer,
        "execute.lost": lambda self, _context: self._orders.labels("lost").inc(),
        "execute.not_sent": lambda self, _context: self._orders.labels("not_sent").inc(),
    }


class _State(Collector):
    """Reads the present state at each scrape: readiness, and the database's content if it answers."""

    def __init__(self, server: ApprovalServer, ready: Callable[[], Mapping[str, str]]) -> None:
        self._server, self._ready = server, ready

    def collect(self) -> Iterator[Metric]:
        found = self._ready()
        ready = GaugeMetricFamily("triagebook_ready", "Whether a check of /readyz holds", labels=("check",))
        for check, state in found.items():
            ready.add_metric((check,), int(state == OK))
        yield ready
        with contextlib.suppress(TrustError):
            if found.get("database") == OK:
                yield from self._figures(read_figures(self._server.store))

    def _figures(self, figures: Figures) -> Iterator[Metric]:
        states = GaugeMetricFamily("triagebook_fixes", "Fixes by state", labels=("state",))
        for state, count in figures.fixes.items():
            states.add_metric((state,), count)
        yield states
        yield GaugeMetricFamily("triagebook_locked_hosts", "Hosts locked by a fix", figures.locked_hosts)
        yield GaugeMetricFamily("triagebook_audit_rows", "Rows of the audit log", figures.audit_rows)
        yield GaugeMetricFamily(
            "triagebook_audit_checkpoint_rows", "Rows that the newest checkpoint covers", figures.checkpoint_rows
        )
        if figures.checkpoint_at is not None:
            age = (self._server.clock() - figures.checkpoint_at).total_seconds()
            yield GaugeMetricFamily("triagebook_audit_checkpoint_age_seconds", "Age of the newest checkpoint", age)


def _texts(context: Context, *names: str) -> tuple[str, ...]:
    return tuple(str(context.get(name, "")) for name in names)


def _seconds(context: Context) -> float:
    return float(str(context.get("ms", 0))) / 1000
