"""What a diagnosis costs the host that is asked: processes started, CPU, bytes; beside the guide's commands."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from triagebook.tools.collector import program
from triagebook.tools.diagnosis import lookups, setup

from tests.bench import guide
from tests.bench.measure import environment, in_turn, run

SLEEPERS = 450  # with what runs anyway, about 600 processes
CGROUPS = 200
ROUNDS = 9
EVERYWHERE = "the guide, of every unit, process and user"


@dataclass(frozen=True)
class Cost:
    """Of one way to ask. `processes` were started on the host, without the first."""

    processes: int | None
    cpu_ms: float
    sent_bytes: int


def costs(home: Path, tell: Callable[[str], None]) -> dict[str, Cost]:
    """This machine, asked in three ways in turn, with some hundred processes and, where it can be, cgroups."""
    settings = setup.settings()
    catalog = setup.service(settings).catalog
    kinds = lookups.kinds_to_collect([catalog.load(setup.default_runbook(settings, catalog))])
    ways = {
        "triagebook": program.command(program.build(kinds), program.launcher()),
        "the guide's 17 commands": ("sh", "-c", guide.BATCH),
        EVERYWHERE: ("sh", "-c", guide.EVERYWHERE),
    }
    env = environment(home)
    with crowd():
        figures = in_turn({name: partial(run, argv, env) for name, argv in ways.items()}, ROUNDS, seldom=(EVERYWHERE,), tell=tell)
        return {name: _cost(argv, env, figures[name].cpu_s * 1000) for name, argv in ways.items()}


def _cost(argv: Sequence[str], env: dict[str, str], cpu_ms: float) -> Cost:
    printed = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, env=env, check=True).stdout
    return Cost(_processes(argv, env), cpu_ms, len(printed))


def _processes(argv: Sequence[str], env: dict[str, str]) -> int | None:
    """Seen by strace; None where there is none."""
    if shutil.which("strace") is None:
        return None
    with tempfile.NamedTemporaryFile() as trace:
        command = ["strace", "-f", "-qq", "-o", trace.name, "-e", "trace=clone,clone3,fork,vfork", *argv]
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=env, check=True)
        return len(re.findall(r"\b(?:clone3?|v?fork)\(", Path(trace.name).read_text()))


def _end(sleeper: "subprocess.Popen[bytes]") -> None:
    sleeper.terminate()
    sleeper.wait()


@contextmanager
def crowd() -> Iterator[None]:
    """Processes that sleep, each ended by its pid; and empty cgroups where they can be made."""
    with ExitStack() as stack:
        for _ in range(SLEEPERS):
            stack.callback(_end, subprocess.Popen(["sleep", "3600"]))
        for root in (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")):
            if not (root / "cgroup.procs").exists():
                continue
            try:
                folders = [root / f"triagebook-bench-{number}" for number in range(CGROUPS)]
                for folder in folders:
                    folder.mkdir()
                    stack.callback(folder.rmdir)
                break
            except OSError:
                continue
        yield
