"""triagebook inside a process that is already up, as in Slack, MCP and a fleet: each diagnosis opens a connection of its own.

The child of this module's `Warm` reads a line for each diagnosis and answers with what it cost.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.measure import Failed, Sample, environment
from tests.bench.peers import ROOT, Network


class Warm:
    """The process that is up."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def diagnose(self) -> Sample:
        """One diagnosis. Raises Failed."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"status": "ended"}
        if answer["status"] not in {"healthy", "cause_found", "warning", "inconclusive"}:
            raise Failed(f"inside a process: {answer['status']}")
        return Sample(answer["wall_s"], answer["cpu_s"], 0.0, 0)


@contextmanager
def warm(network: Network) -> Iterator[Warm]:
    """A process with the service loaded, for as long as the block lasts."""
    argv = [*network.enter, sys.executable, "-m", "tests.bench.warm", str(network.hosts.config)]
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment(network.home)
    )
    try:
        yield Warm(process)
    finally:
        assert process.stdin
        process.stdin.close()
        process.wait(10)


def main() -> None:
    """The child."""
    from triagebook.tools.diagnosis import setup
    from triagebook.tools.diagnosis.question import Question
    from triagebook.tools.inventory.target import parse_target

    settings = setup.settings()
    service = setup.service(settings, ssh_config=str(Path(sys.argv[1])))
    question = Question(parse_target("bench1"), setup.default_runbook(settings, service.catalog))
    for _line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        answer = service.diagnose(question)
        cost = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
        sys.stdout.write(json.dumps({"status": answer.diagnosis.status, **cost}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
