"""What a site costs and how it scales: recorded hosts that answer after a given time, real workers and a real nats-server.

    python -m tests.bench.sites --workers 2 --hosts 1000 --delay 0.5 --at-once 50

Prints one JSON object: hosts a second, CPU a host of the asking process and of each worker, and the memory of the asking one.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from triagebook.runbooks.probes import catalog as probes
from triagebook.tools.collector import program
from triagebook.tools.diagnosis import setup
from triagebook.tools.diagnosis.fleet import FleetBounds, fleet
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.inventory.target import TargetName
from triagebook.tools.settings import Settings, SiteSettings
from triagebook.tools.sites.reach import Sites
from triagebook.tools.transport.local import LocalTransport

from tests import nats, sshd
from tests.bench.site_worker import SlowReplay

SITE = "eu1"


def record(folder: Path, runbook: str = "enomem") -> Path:
    """Write what the collector says of this machine."""
    kinds = setup.service(Settings()).load(runbook).probes.values()
    collected = probes.kinds_to_collect(tuple(kinds))
    argv = program.command(program.build(collected), program.launcher())
    process = LocalTransport().launch("localhost", argv)
    process.write(b"")
    process.finish(30)
    file = folder / "recording"
    file.write_bytes(b"".join(iter(lambda: process.read(30), b"")))
    return file


def cpu_of(pid: int) -> float:
    """CPU seconds of a running process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> float:
    """The most memory that a running process had, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Ask all hosts once."""
    recording = record(folder, options.runbook)
    with ExitStack() as stack:
        service = setup.service(Settings())
        pids: list[int] = []
        if options.workers:
            bus = stack.enter_context(nats.nats(folder, SITE))
            way = Sites(SiteSettings(bus.url, bus.creds["server"], bus.authority), None)
            stack.callback(way.client().close)
            argv = (SITE, bus.url, bus.creds[SITE], bus.authority, recording, options.delay, options.at_once)
            for _ in range(options.workers):
                process = subprocess.Popen([sys.executable, "-m", "tests.bench.site_worker", *map(str, argv)])
                stack.callback(sshd.end, process)
                pids.append(process.pid)
            while len(way.client().ask_all(SITE, 1.0)) < options.workers:
                time.sleep(0.1)
            service = replace(service, transport_for=way.transport)
        else:
            direct = SlowReplay(recording.read_bytes(), options.delay)
            service = replace(service, transport_for=lambda _target: direct)
        return run(service, options, pids)


def run(service: Service, options: argparse.Namespace, pids: list[int]) -> dict[str, object]:
    """Ask, and count."""
    site = SITE if options.workers else ""
    names = (f"h{number}" for number in range(options.hosts))
    questions = (Question(TargetName(name, "remote", name, site=site), options.runbook, samples=1, is_brief=True) for name in names)
    service.diagnose(Question(TargetName("warm", "remote", "warm", site=site), options.runbook, samples=1))
    before, began = [cpu_of(pid) for pid in pids], time.monotonic()
    own, memory = time.process_time(), memory_of(os.getpid())
    seen: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    for outcome in fleet(service, options.runbook, FleetBounds(at_once=options.fleet)).ask(questions):
        seen[outcome.question.target.text] += 1
        ends[outcome.answer.diagnosis.status if outcome.answer else str(outcome.error)] += 1
    took_s = time.monotonic() - began
    spent = sum(cpu_of(pid) - was for pid, was in zip(pids, before, strict=True))
    return {
        "workers": options.workers,
        "hosts": options.hosts,
        "delay_s": options.delay,
        "seconds": round(took_s, 1),
        "hosts_a_second": round(options.hosts / took_s, 1),
        "own_cpu_ms_a_host": round((time.process_time() - own) * 1000 / options.hosts, 2),
        "worker_cpu_ms_a_host": round(spent * 1000 / options.hosts, 2),
        "own_memory_mib": round(memory_of(os.getpid()), 1),
        "worker_memory_mib": round(max(map(memory_of, pids), default=0.0), 1),
        "memory_before_mib": round(memory, 1),
        "each_once": len(seen) == options.hosts and set(seen.values()) == {1},
        "ends": dict(ends),
    }


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sites", description=__doc__)
    parser.add_argument("--workers", type=int, default=1, help="0: the same hosts, without a site")
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--delay", type=float, default=0.5, help="seconds until a host answers")
    parser.add_argument("--at-once", type=int, default=50, help="of a worker")
    parser.add_argument("--runbook", default="enomem")
    parser.add_argument("--fleet", type=int, default=200, help="hosts that are asked at the same time")
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(parser.parse_args(), Path(folder))))


if __name__ == "__main__":
    main()
