"""A guard for CI: ratios of CPU in one quick run, beside those recorded in ratios.json. It fails when one got worse by half.

Ratios of CPU of one run hold on a busy machine; no figure of another machine is compared. `--record` writes them anew.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from tests.bench import start
from tests.bench.hosts import hosts
from tests.bench.measure import in_turn
from tests.bench.peers import PARAMIKO, SSH_BATCH, TRIAGEBOOK, Network, single
from tests.bench.warm import warm

RECORDED = Path(__file__).with_name("ratios.json")
ALLOWED = 1.5
ROUNDS = 7


def ratios() -> dict[str, float]:
    """Measured now."""
    with hosts(servers=1, names=1) as (near,):
        network = Network(0, near)
        peers = {name: run for name, run in single(network, with_peers=False).items() if name in (TRIAGEBOOK, SSH_BATCH, PARAMIKO)}
        figures = in_turn(peers, ROUNDS, tell=lambda _line: None)
        starts = start.cpu_ms(network, ROUNDS)
        with warm(network) as service:
            inside = median([service.diagnose().cpu_s for _ in range(2 * ROUNDS)][2:])
    ours, ssh, stock = (figures[name].cpu_s for name in (TRIAGEBOOK, SSH_BATCH, PARAMIKO))
    bare = starts[start.BARE]
    return {
        "over ssh / OpenSSH, one batch": ours / ssh,
        "over ssh / paramiko": ours / stock,
        "over ssh, inside a process / OpenSSH, one batch": inside / ssh,
        "over ssh, inside a process / paramiko": inside / stock,
        "triagebook --help / python -c pass": starts["triagebook --help"] / bare,
        "this machine / python -c pass": starts["triagebook, this machine"] / bare,
    }


def worse(recorded: Mapping[str, float], measured: Mapping[str, float]) -> dict[str, float]:
    """How many times the recorded ratio, for those that got worse by half or that nothing is recorded of."""
    times = {name: ratio / recorded[name] if name in recorded else float("inf") for name, ratio in measured.items()}
    return {name: factor for name, factor in times.items() if factor > ALLOWED}


def main(*, is_recording: bool) -> int:
    """Measure and judge; once more before it fails, for one run may meet bad luck."""
    measured = ratios()
    if is_recording:
        RECORDED.write_text(json.dumps({name: round(ratio, 3) for name, ratio in measured.items()}, indent=2) + "\n")
        print(f"recorded in {RECORDED.name}: {measured}")
        return 0
    recorded = json.loads(RECORDED.read_text())
    if worse(recorded, measured):
        again = ratios()
        measured = {name: min(ratio, again[name]) for name, ratio in measured.items()}
    for name, ratio in measured.items():
        print(f"{name}: {ratio:.2f} (recorded {recorded.get(name, 'nothing')})")
    for name, factor in worse(recorded, measured).items():
        print(f"WORSE by half: {name} is {factor:.2f} times what was recorded")
    return 1 if worse(recorded, measured) else 0
