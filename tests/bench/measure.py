"""Running a command and what it costs: wall time, CPU of its whole process tree, memory. And rounds of several, in turn."""

import os
import select
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20
LOOK_MS = 50


@dataclass(frozen=True)
class Sample:
    """One run. `cpu_s` is user and system time of the process and the children it waited for; memory is private, of the tree."""

    wall_s: float
    cpu_s: float
    memory_mib: float
    status: int


@dataclass(frozen=True)
class Figures:
    """Medians of the rounds of one peer."""

    wall_s: float
    cpu_s: float
    memory_mib: float
    rounds: int

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> "Figures":
        """The median of each figure on its own."""
        median = statistics.median
        return cls(
            wall_s=median(sample.wall_s for sample in samples),
            cpu_s=median(sample.cpu_s for sample in samples),
            memory_mib=median(sample.memory_mib for sample in samples),
            rounds=len(samples),
        )


class Failed(Exception):
    """A peer did not do its job; its figures would mean nothing."""


def environment(home: Path, **more: str) -> dict[str, str]:
    """A home of its own, bytecode kept as an installed program's is, and nothing of the caller's settings."""
    return {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "USER": "somebody", **more}


def run(argv: Sequence[str], env: Mapping[str, str], *, expected: Sequence[int] = (0,), timeout_s: float = 600) -> Sample:
    """Run it to its end. Raises Failed on an unexpected exit status or when it takes too long."""
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, env=dict(env))
        memory, ending = 0.0, select.poll()
        with os.fdopen(os.pidfd_open(process.pid)) as descriptor:
            ending.register(descriptor, select.POLLIN)
            while not ending.poll(LOOK_MS):  # asleep in between: who looks a thousand times a second takes CPU from the peers
                memory = max(memory, private_mib(process.pid))
                if time.perf_counter() - started > timeout_s:
                    process.kill()
                    process.wait()
                    raise Failed(f"{argv[0]} took more than {timeout_s:.0f} s")
        wall = time.perf_counter() - started
        _pid, status, usage = os.wait4(process.pid, 0)  # gives the CPU of this tree alone
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in expected:
            said.seek(0)
            text = said.read()[-400:].decode("utf-8", "replace")
            raise Failed(f"{' '.join(argv)[:200]}: exit status {process.returncode}: {text}")
    return Sample(wall, usage.ru_utime + usage.ru_stime, memory, process.returncode)


def private_mib(pid: int) -> float:
    """Memory that a process tree shares with nobody, now."""
    total, waiting = 0.0, [pid]
    while waiting:
        here = waiting.pop()
        try:
            resident, shared = (int(field) for field in Path(f"/proc/{here}/statm").read_text().split()[1:3])
            total += (resident - shared) * PAGE_MIB
            for thread in Path(f"/proc/{here}/task").iterdir():
                waiting += (int(child) for child in (thread / "children").read_text().split())
        except (OSError, ValueError):
            continue  # it has ended
    return total


def in_turn(
    peers: Mapping[str, Callable[[], Sample]],
    rounds: int,
    *,
    seldom: Sequence[str] = (),
    has_warm_up: bool = True,
    tell: Callable[[str], None],
) -> dict[str, Figures]:
    """A B C, A B C, ...: a first round that does not count, then `rounds`; `seldom` ones have no first and every second round.

    A peer that fails is left out, and `tell` gets the reason.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in peers}
    for number in range(0 if has_warm_up else 1, rounds + 1):
        for name, measure in peers.items():
            if name not in samples or (name in seldom and number % 2 == 0):
                continue
            try:
                sample = measure()
            except Failed as error:
                tell(f"{name}: left out: {error}")
                del samples[name]
                continue
            if number:
                samples[name].append(sample)
                tell(f"{name}: {sample.wall_s:.3f} s wall, {sample.cpu_s * 1000:.0f} ms CPU")
    return {name: Figures.of(taken) for name, taken in samples.items() if taken}
