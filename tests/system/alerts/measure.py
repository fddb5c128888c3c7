"""How long an alert waits for its verdict, and what five hundred at once do: the product with Slack, over a real sshd.

    python -m tests.system.alerts.measure [--postgresql] [--alerts 100] [--hosts 500] [--seconds 60]

Prints one JSON object. First alerts come one by one: from the delivery until Slack has the verdict, beside the seventeen commands
of a person over OpenSSH in one batch on the same host. Then one for each of many hosts, spread over a minute: how long each
acknowledgement took, how many alerts were kept and answered, and how many messages the channel has.
"""

import argparse
import json
import os
import re
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from triagebook.tools.server.client import ask

from tests import postgres, sshd
from tests.bench.guide import BATCH
from tests.hang import GUARD_S
from tests.system.alerts.intake_world import SECRET, alert
from tests.system.slack import gate as gates
from tests.system.slack import workspace
from tests.system.slack.gate import CALLED, Gate
from tests.system.slack.test_alert_kills import RULES
from tests.system.slack.test_server import COMMAND, environment

SENDERS, PATIENCE_S = 8, 120
PROMISED_S = 0.3  # 99 of 100 acknowledgements come within it
TABLE = re.compile(r"^\W*\d+ hosts")
POLICY = """\
apiVersion: triagebook/policy/v1
persons:
  ann: {accounts: [{os: root}]}
rules:
  - {name: ann reads, allow: [diagnose, read_audit], who: [ann]}
  - {name: alerts look, allow: [diagnose], who: [alerts]}
"""


@dataclass(frozen=True)
class Served:
    """The product under way."""

    folder: Path
    gate: Gate
    port: int

    def post(self, name: str, host: str) -> float:
        """Deliver one alert; the seconds until it was acknowledged."""
        body = json.dumps({"version": "4", "alerts": [alert(name, name, host)]}).encode()
        url = f"http://127.0.0.1:{self.port}/alerts/prometheus"
        request = urllib.request.Request(url, body, {"Authorization": f"Bearer {SECRET}"})
        began = time.perf_counter()
        with urllib.request.urlopen(request, timeout=GUARD_S) as answer:  # noqa: S310
            if answer.status != 202:
                raise RuntimeError(f"{name}: answered {answer.status}")
        return time.perf_counter() - began

    def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = ask(self.folder / "socket", {"do": "alerts", "limit": 500})
        return found

    def answered(self) -> list[dict[str, Any]]:
        return [view for view in self.alerts() if view["status"]]

    def has_verdict(self, name: str) -> bool:
        """Whether Slack was told of an alert and of what its host has."""
        told = [call.values for call in list(self.gate.calls) if call.method in {"chat.postMessage", "chat.update"}]
        return any(f"{name} is firing" in str(values) and not values["text"].startswith("Diagnosing") for values in told)


@contextmanager
def served(
    folder: Path, gate: Gate, host: sshd.Server, hosts: Sequence[str], database: str = "", rules: str = RULES
) -> Iterator[Served]:
    """`triagebook serve --alerts --slack` for hosts that are all this sshd."""
    config = folder / ".config" / "triagebook"
    config.mkdir(parents=True)
    (config / "inventory.yaml").write_text(f"hosts: [{', '.join(hosts)}]\n")
    (config / "config.yaml").write_text(f"slack: {{alerts: {gate.workspace.channels['alerts']}}}\n")
    rules = rules.format(channel=gate.workspace.channels["alerts"]) if rules == RULES else rules
    files = {"policy.yaml": POLICY, "token": SECRET, "prometheus.token": SECRET, "alerts.yaml": rules}
    for name, text in files.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    port = sshd.free_port()
    argv = (*COMMAND, "serve", f"--data={folder / 'data'}", f"--socket={folder / 'socket'}", f"--policy={folder / 'policy.yaml'}")
    argv += ("-F", str(host.config), "--slack", f"--alerts=127.0.0.1:{port}", f"--alert-rules={folder / 'alerts.yaml'}")
    told = environment(gate, HOME=str(folder), **({"TRIAGEBOOK_DATABASE": database} if database else {}))
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(argv, stderr=log, env=told)
    try:
        while "server.ready" not in (folder / "log").read_text():
            if process.poll() is not None:
                raise RuntimeError((folder / "log").read_text()[-2000:])
            time.sleep(0.05)
        yield Served(folder, gate, port)
    finally:
        process.terminate()
        process.wait(GUARD_S)


def verdicts(server: Served, host: sshd.Server, alerts: int) -> dict[str, object]:
    """One alert after the other, and OpenSSH beside every tenth."""
    taken, batches = [], []
    server.post("Warm", "web-000")
    _await(lambda: server.has_verdict("Warm"))
    for number in range(alerts):
        name = f"V{number:03}"
        began = time.perf_counter()
        server.post(name, "web-000")
        _await(partial(server.has_verdict, name))
        taken.append(time.perf_counter() - began)
        if number % 10 == 0:
            began = time.perf_counter()
            argv = ("ssh", "-F", str(host.config), "web-000", BATCH)
            subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=GUARD_S)
            batches.append(time.perf_counter() - began)
    openssh = percentile(batches, 50)
    figures = {"median_s": percentile(taken, 50), "p95_s": percentile(taken, 95), "most_s": max(taken), "openssh_batch_s": openssh}
    return {"alerts": alerts, **rounded(figures), "p95_by_openssh": round(percentile(taken, 95) / openssh, 2)}


def storm(server: Served, hosts: Sequence[str], seconds: float) -> dict[str, object]:
    """One alert for each host, evenly over the time, by several connections."""
    before = {call.answer.get("ts") for call in server.gate.of("chat.postMessage")}
    began = time.perf_counter()
    taken: list[float] = []
    late_at: list[float] = []  # when an acknowledgement came that took longer than promised
    guard = threading.Lock()

    def send(number: int) -> None:
        due = began + number * seconds / len(hosts)
        time.sleep(max(0.0, due - time.perf_counter()))
        took = server.post(f"S{number:03}", hosts[number])
        with guard:
            taken.append(took)
            if took > PROMISED_S:
                late_at.append(round(time.perf_counter() - began, 1))

    with ThreadPoolExecutor(SENDERS) as senders:
        list(senders.map(send, range(len(hosts))))
    sent_s = time.perf_counter() - began
    # not more often: to list 500 alerts costs the server as much as to answer one
    is_whole = _await(lambda: sum(view["name"].startswith("S") for view in server.answered()) >= len(hosts), every_s=2.0)
    answered_s = time.perf_counter() - began
    is_whole = is_whole and _await(lambda: (said := newest_table(server.gate)) and "not answered yet" not in said)
    posted = [call for call in server.gate.of("chat.postMessage") if call.answer.get("ts") not in before]
    roots = [call.values["text"][:60] for call in posted if "thread_ts" not in call.values]
    statuses = [view["status"] for view in server.answered() if view["name"].startswith("S")]
    figures = {"ack_median_s": percentile(taken, 50), "ack_p99_s": percentile(taken, 99), "ack_most_s": max(taken)}
    return {
        "hosts": len(hosts),
        "sent_in_s": round(sent_s, 1),
        "waited_s": round(answered_s, 1),
        "is_whole": is_whole,
        "kept": sum(view["name"].startswith("S") for view in server.alerts()),
        **rounded(figures),
        "late_at_s": late_at,
        "answered": {status: statuses.count(status) for status in sorted(set(statuses))},
        "messages_in_channel": len(roots),
        "tables": len(tables(server.gate)),
    }


def tables(gate: Gate) -> dict[str, str]:
    """What each table of hosts says now, by its message."""
    told = [call for call in list(gate.calls) if call.answer.get("ts") and TABLE.search(call.values.get("text", ""))]
    return {call.answer["ts"]: call.values["text"] for call in told}


def newest_table(gate: Gate) -> str:
    return "".join(list(tables(gate).values())[-1:])


def percentile(values: Sequence[float], of: int) -> float:
    return sorted(values)[max(0, -(-len(values) * of // 100) - 1)]


def rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in figures.items()}


def _await(is_so: Callable[[], object], every_s: float = 0.0) -> bool:
    """Wait until something is so, and look after each call of Slack, or only so often. False: it was not within PATIENCE_S."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_s)
        with CALLED:
            CALLED.wait(0.2)
    return True


def main() -> None:
    """Parse, start everything, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.alerts.measure", description=__doc__)
    parser.add_argument("--postgresql", action="store_true", help="instead of SQLite")
    parser.add_argument("--alerts", type=int, default=100, help="one by one; 0: none")
    parser.add_argument("--hosts", type=int, default=500, help="an alert for each; 0: none")
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    hosts = [f"web-{number:03}" for number in range(max(1, options.hosts))]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        gate = stack.enter_context(gates.running(stack.enter_context(workspace.in_memory())))
        place = stack.enter_context(sshd.ground())
        host = stack.enter_context(place.sshd({"MaxStartups": "300"}, alias="web-*"))
        os.setpriority(os.PRIO_PROCESS, host.process.pid, 19)  # hosts are other machines
        database = stack.enter_context(postgres.running()).new_database() if options.postgresql else ""
        server = stack.enter_context(served(folder, gate, host, hosts, database))
        found: dict[str, object] = {"database": "postgresql" if database else "sqlite", "load_1m": os.getloadavg()[0]}
        if options.alerts:
            found["verdict"] = verdicts(server, host, options.alerts)
        if options.hosts:
            found["storm"] = storm(server, hosts, options.seconds)
        print(json.dumps({**found, "load_1m_after": os.getloadavg()[0]}))  # noqa: T201


if __name__ == "__main__":
    main()
