"""A fleet in which some hosts take TCP and never say a word: what they cost the others."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.measure import environment
from tests.bench.peers import PROGRAM, Network


@contextmanager
def mute_port() -> Iterator[int]:
    """A port that accepts connections into its queue and leaves them there."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1000)
        port: int = listener.getsockname()[1]
        yield port


def seconds_until_the_rest_is_answered(network: Network, count: int, silent: int) -> float:
    """From the start until the last host that can answer has; every tenth name is silent when `silent` is a tenth of them."""
    with mute_port() as port:
        names = network.hosts.names(count)
        mute = set(names[:: count // silent]) if silent else set()
        lines = "".join(f"Host {name}\n  HostName 127.0.0.1\n  Port {port}\n" for name in sorted(mute))
        config = network.hosts.folder / "ssh_config-silent"
        config.write_text(lines + network.hosts.config.read_text())
        return _last_answer(names, mute, config, network)


def _last_answer(names: list[str], mute: set[str], config: Path, network: Network) -> float:
    started, last, answered = time.perf_counter(), 0.0, set()
    argv = [PROGRAM, "diagnose", *names, "-F", str(config), "--json"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment(network.home))
    assert process.stdout
    for line in process.stdout:
        diagnosis = json.loads(line)
        if diagnosis["status"] != "unreachable":
            answered.add(diagnosis["host"]["name"])
            last = time.perf_counter() - started
    process.wait()
    missing = set(names) - mute - answered
    if missing:
        raise RuntimeError(f"lost hosts: {sorted(missing)[:5]}")
    return last
