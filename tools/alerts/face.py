"""Runs the intake of alerts inside `triagebook serve`: the listener, the worker that answers, and a process that asks hosts."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.alerts.answer import KIND, AlertAnswerer, Show
from triagebook.tools.alerts.intake import PATH, Intake
from triagebook.tools.alerts.load import load_rules
from triagebook.tools.alerts.rules import AlertRules
from triagebook.tools.diagnosis.asked import runbooks_by_default
from triagebook.tools.diagnosis.worker import WorkerProcess
from triagebook.tools.jobs.worker import JobWorker
from triagebook.tools.log import log_event
from triagebook.tools.server.options import Hosts
from triagebook.tools.server.run import RunningServer
from triagebook.tools.server.web import listen
from triagebook.tools.sinks import outbox
from triagebook.tools.sinks.outbox import EventSender
from triagebook.tools.store import jobs

SLOW_THREADS = 64


@dataclass(frozen=True)
class AlertsFace:
    """The intake as `serve` starts it. `shows` are other faces that show an alert: told its id after each change."""

    listen: str
    rules: AlertRules
    hosts: Hosts
    shows: Sequence[Show] = ()
    tls_certificate: str = ""
    tls_key: str = ""

    @contextmanager
    def __call__(self, running: RunningServer) -> Iterator[int]:
        """Take alerts for as long as the block lasts and yield the port."""
        server = running.approval_server
        arrivals = jobs.store_of_arrivals(server.store)
        with WorkerProcess(self.hosts.settings, self.hosts.ssh_config) as asker:
            service = self.hosts.service
            names = runbooks_by_default(service.default, service.catalog)
            answerer = AlertAnswerer(server, self.rules, asker, arrivals, lambda: names, self.shows)
            worker = JobWorker(arrivals, server.clock, secrets.token_hex(8), {KIND: answerer.handle}, slow_threads=SLOW_THREADS)
            sender = EventSender(self.rules.sinks, server.clock)
            events = JobWorker(server.store, server.clock, secrets.token_hex(8), {outbox.KIND: sender.handle})
            worker.start()
            events.start()
            try:
                app = Intake(self.rules, worker, server.clock)
                certificate, key = self.tls_certificate, self.tls_key
                with listen(self.listen, app, "alerts", tls_certificate=certificate, tls_key=key) as port:
                    log_event("server.listening", face="alerts", address=f"{self.listen.rpartition(':')[0]}:{port}{PATH}")
                    yield port
            finally:
                worker.stop()
                events.stop()


def alerts_face(
    address: str, file: Path, hosts: Hosts, shows: Sequence[Show] = (), tls_certificate: str = "", tls_key: str = ""
) -> AlertsFace:
    """Return the intake, its rules checked. Raises UsageError: what is wrong with alerts.yaml, and where."""
    runbooks = {name for entry in hosts.service.catalog.entries() for name in (entry.id, entry.name)}
    rules = load_rules(file, sorted(runbooks), sorted(hosts.names.inventory.hosts))
    return AlertsFace(address, rules, hosts, shows, tls_certificate, tls_key)
