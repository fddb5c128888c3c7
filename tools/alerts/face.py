"""Runs the intake of alerts inside `triagebook serve`: the listener, the worker that answers, and a process that asks hosts."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import field
from datetime import timedelta
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.alerts.answer import KIND, AlertAnswerer, Show
from triagebook.tools.alerts.credentials import ClientCertificate
from triagebook.tools.alerts.intake import PATH, Intake
from triagebook.tools.alerts.load import load_rules
from triagebook.tools.alerts.rules import AlertRules
from triagebook.tools.alerts.silences import EVERY_S, Silencer
from triagebook.tools.diagnosis.runbook_choice import runbooks_by_default
from triagebook.tools.diagnosis.stored_diagnosis import Asker
from triagebook.tools.diagnosis.worker import WorkerProcess
from triagebook.tools.jobs.worker import LEASE, JobWorker
from triagebook.tools.log import log_event
from triagebook.tools.periodic import PeriodicThread
from triagebook.tools.server.options import Hosts
from triagebook.tools.server.run import RunningServer
from triagebook.tools.server.web import listen
from triagebook.tools.sinks import outbox
from triagebook.tools.sinks.outbox import EventSender
from triagebook.tools.store import jobs

SLOW_THREADS = 64
MOST_HELD = 1000  # alerts that are noted and shown as waiting, though their hosts are asked later


@dataclass(frozen=True)
class TlsFiles:
    """The files of TLS: empty, it is not spoken, or clients need no certificate."""

    certificate: str = ""
    key: str = ""
    client_ca: str = ""


@dataclass(frozen=True)
class AlertsFace:
    """The intake as `serve` starts it. `shows` are other faces that show an alert: told its id after each change."""

    listen: str
    rules: AlertRules
    hosts: Hosts
    shows: Sequence[Show] = ()
    tls: TlsFiles = field(default_factory=TlsFiles)
    asker: Asker | None = None  # without one, hosts are asked in a process of its own
    lease: timedelta = LEASE

    @contextmanager
    def __call__(self, running: RunningServer) -> Iterator[int]:
        """Take alerts for as long as the block lasts and yield the port."""
        server = running.approval_server
        arrivals = jobs.store_of_arrivals(server.store)
        with self._asker() as asker:
            service = self.hosts.service
            names = runbooks_by_default(service.default, service.catalog)
            answerer = AlertAnswerer(server, self.rules, asker, arrivals, lambda: names, self.shows)
            worker = JobWorker(
                arrivals,
                server.clock,
                secrets.token_hex(8),
                {KIND: answerer.handle},
                on_defect=answerer.give_up,
                on_given_up=answerer.give_up,
                slow_threads=SLOW_THREADS,
                most_held=MOST_HELD,
                lease=self.lease,
            )
            sender = EventSender(self.rules.sinks, server.clock)
            events = JobWorker(server.store, server.clock, secrets.token_hex(8), {outbox.KIND: sender.handle})
            silences = PeriodicThread("silences", Silencer(server, self.rules).step, EVERY_S)
            worker.start()
            events.start()
            if self.rules.alertmanagers:
                silences.start()
            try:
                app = Intake(self.rules, worker, server.clock)
                tls = self.tls
                with listen(
                    self.listen, app, "alerts", tls_certificate=tls.certificate, tls_key=tls.key, client_ca=tls.client_ca
                ) as port:
                    log_event("server.listening", face="alerts", address=f"{self.listen.rpartition(':')[0]}:{port}{PATH}")
                    yield port
            finally:
                worker.stop()
                events.stop()
                silences.stop()

    def _asker(self) -> AbstractContextManager[Asker]:
        if self.asker is not None:
            return nullcontext(self.asker)
        return WorkerProcess(self.hosts.settings, self.hosts.ssh_config)


def alerts_face(address: str, file: Path, hosts: Hosts, shows: Sequence[Show] = (), tls: TlsFiles | None = None) -> AlertsFace:
    """Return the intake, its rules checked. Raises UsageError: what is wrong with alerts.yaml, and where."""
    runbooks = {name for entry in hosts.service.catalog.entries() for name in (entry.id, entry.name)}
    rules = load_rules(file, sorted(runbooks), sorted(hosts.names.inventory.hosts))
    tls = tls or TlsFiles()
    if tls.client_ca and not tls.certificate:
        raise UsageError("--alerts-client-ca: there are certificates of clients with --alerts-tls-cert only", reason="usage")
    by_certificate = [name for name, source in rules.sources.items() if isinstance(source.credential, ClientCertificate)]
    if by_certificate and not tls.client_ca:
        says = f"{file}: source {by_certificate[0]!r} proves itself by a certificate: say whose with --alerts-client-ca FILE"
        raise UsageError(says, reason="usage")
    return AlertsFace(address, rules, hosts, shows, tls)
