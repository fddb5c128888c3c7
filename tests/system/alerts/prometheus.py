"""A real Prometheus, node-exporter and Alertmanager on loopback, with the rules and the route of `deploy`.

Only their times are shorter: minutes of `for` and of ranges are seconds here. Debian's packages, started and ended by this module.
"""

import json
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tests import sshd
from tests.command import ROOT
from tests.hang import GUARD_S

DEPLOY = ROOT / "deploy"
UNPACKED = ROOT / ".cache" / "prometheus" / "usr"  # Debian's packages, not installed
PROGRAMS = {
    name: shutil.which(name) or shutil.which(name, path=str(UNPACKED / "bin"))
    for name in ("prometheus", "prometheus-alertmanager", "prometheus-node-exporter")
}
MISSING = ", ".join(name for name, path in PROGRAMS.items() if path is None)
WHY_NOT = f"{MISSING} not here (`make system-packages` gets it where apt-get is)" if MISSING else ""
# Debian's Alertmanager reads a template of /usr/share: one that is not installed sees its own there, in mounts of its own.
UNSHARED = (
    *("unshare", "--mount", *(() if os.geteuid() == 0 else ("--user", "--map-root-user")), "--"),
    *("/bin/sh", "-c", 'mount --bind "$1" /usr/share && shift && exec "$@"', "sh"),
)
RANGE_S = 30  # of `increase(...)`: an alert about refusals resolves so long after the last one
CONFIG = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]}}]}}
scrape_configs:
  - {{job_name: node, static_configs: [{{targets: ["127.0.0.1:{exporter}"]}}]}}
"""


@dataclass(frozen=True)
class Monitoring:
    """What watches the hosts."""

    port: int  # of Prometheus
    folder: Path

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression has now; none while Prometheus is getting ready."""
        query = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/query?{query}", timeout=GUARD_S) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            return []
        return found

    def firing(self) -> set[str]:
        """The names of the alerts that fire."""
        return {series["metric"]["alertname"] for series in self.query('ALERTS{alertstate="firing"}')}


@contextmanager
def running(folder: Path, name: str, *options: str) -> Iterator[int]:
    """One of the programs; its port on loopback."""
    port = sshd.free_port()
    program = str(PROGRAMS[name])
    argv = (program, *options, f"--web.listen-address=127.0.0.1:{port}")
    if Path(program).is_relative_to(UNPACKED):
        argv = (*UNSHARED, str(UNPACKED / "share"), *argv)
    with open(folder / f"{name}.log", "wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, env={"PATH": os.environ["PATH"], "GOMAXPROCS": "1"})
    try:
        sshd.await_port(port, process)
        yield port
    finally:
        sshd.end(process)


@contextmanager
def alertmanager(folder: Path, route: str) -> Iterator[int]:
    """An Alertmanager with that configuration; its port."""
    config = folder / "alertmanager.yaml"
    config.write_text(route)
    options = (f"--config.file={config}", f"--storage.path={folder / 'alertmanager'}", "--cluster.listen-address=")
    with running(folder, "prometheus-alertmanager", *options) as port:
        yield port


@contextmanager
def monitoring(folder: Path, intake_port: int, token_file: Path, metrics: Path) -> Iterator[Monitoring]:
    """Prometheus scrapes what a watch writes into the folder `metrics`; its alerts go to the intake at that port."""
    folder.mkdir()
    rules, config = folder / "rules.yaml", folder / "prometheus.yaml"
    rules.write_text(quick_rules())
    textfiles = ("--collector.disable-defaults", "--collector.textfile", f"--collector.textfile.directory={metrics}")
    stored = (f"--config.file={config}", f"--storage.tsdb.path={folder / 'prometheus'}", "--rules.alert.resend-delay=1s")
    with (
        running(folder, "prometheus-node-exporter", *textfiles) as exporter,
        alertmanager(folder, quick_route(intake_port, token_file)) as alerts,
    ):
        config.write_text(CONFIG.format(rules=rules, alertmanager=alerts, exporter=exporter))
        with running(folder, "prometheus", *stored) as port:
            yield Monitoring(port, folder)


def quick_rules() -> str:
    """Our rules, with seconds where they have minutes."""
    text = (DEPLOY / "prometheus" / "rules.yaml").read_text()
    text, waits = re.subn(r"for: \d+m", "for: 2s", text)
    text, ranges = re.subn(r"\[\d+[mh]\]", f"[{RANGE_S}s]", text)
    assert waits > 5
    assert ranges > 3
    return text


def quick_route(intake_port: int, token_file: Path) -> str:
    """Our route of Alertmanager, with this intake, this token, and seconds where it waits for more alerts of a group."""
    text = (DEPLOY / "alerts" / "alertmanager.yaml").read_text()
    changes = {
        "127.0.0.1:9095": f"127.0.0.1:{intake_port}",
        "/etc/prometheus/triagebook.token": str(token_file),
        "group_wait: 10s": "group_wait: 1s\n  group_interval: 2s",
    }
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text
