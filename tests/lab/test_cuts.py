"""An execution cut at ten points each: our process killed, the helper killed, the network cut. On a real guest.

Afterwards no file on the host is half-written, nothing runs a second time, and what became of it is told by the helper's
journal and fresh facts.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from triagebook.runbooks.engine.errors import RefusedError
from triagebook.tools.execute import executor
from triagebook.tools.fixes.views import FixView
from triagebook.tools.host_setup import layout

from tests import lab
from tests.lab.approval_server import ASKS, DECIDES, Fixing, patiently, prepared
from tests.lab.proxy import Proxy

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(300)]
FILE = "/etc/systemd/system/report.service.d/zz-triagebook-LimitNPROC.conf"
WHOLE = "[Service]\nLimitNPROC=400:400\n"
LEASE_S = 4
PROCESS = (  # killed so many seconds after it came to a step
    ("claim.before_commit", 0.0), ("claim.after_commit", 0.0), ("apply.anchored", 0.0), ("apply.anchored", 0.15),
    ("apply.anchored", 0.4), ("apply.anchored", 0.8), ("apply.anchored", 1.3), ("apply.anchored", 2.0),
    ("apply.executed", 0.0), ("settle.before_commit", 0.0),
)  # fmt: skip
SECONDS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 1.2, 1.6, 2.2)  # after the order was signed
SPOOL, JOURNAL = "/run/triagebook/spool.*", "/var/lib/triagebook/journal/*"
HELPER = {  # killed when this is there, in the order in which they come to be; and how it is settled
    f"{SPOOL}/order": "failed",
    f"{SPOOL}/signers": "failed",
    f"{JOURNAL}/order": "failed",
    f"{JOURNAL}/state": "failed",
    f"{JOURNAL}/temporary": "failed",
    f"{JOURNAL}/file.after": "failed",
    f"{JOURNAL}/before": "failed",
    "/etc/systemd/system/report.service.d/.triagebook.*.tmp": "reverted",
    FILE: "reverted",
    f"{JOURNAL}/after": "reverted",
}
KILLER = ("/usr/local/lib/lab/killer", f"/bin/sh {layout.HELPER}")


class Steps:
    """Does something when an execution comes to a step, before that goes on."""

    def __init__(self) -> None:
        self._wanted, self._action = "", lambda: None

    def __call__(self, step: str) -> None:
        if step == self._wanted:
            self._wanted = ""
            self._action()

    def at(self, step: str, action: Callable[[], None]) -> None:
        """Once, when it next comes to that step."""
        self._wanted, self._action = step, action


STEPS = Steps()


@pytest.fixture(scope="module")
def proxy_and_fixing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, Fixing]]:
    """A guest with a service at its LimitNPROC, its helper reached by a proxy."""
    try:
        guest = lab.up("debian-12", "cuts")
    except lab.NotAvailable as why:
        pytest.skip(str(why))
    try:
        with (
            Proxy(guest.state.port) as proxy,
            prepared(guest, tmp_path_factory.mktemp("cuts"), fix_port=proxy.port, lease_s=LEASE_S, step=STEPS) as made,
        ):
            guest.inject("unit-limitnproc")
            yield proxy, made
    finally:
        lab.down(guest.name)


@pytest.fixture
def fixing(proxy_and_fixing: tuple[Proxy, Fixing], monkeypatch: pytest.MonkeyPatch) -> Iterator[Fixing]:
    """The host as it was before, after each execution; an order that is nowhere to be seen is given up sooner."""
    monkeypatch.setattr(executor, "LATEST_S", 30)
    found = proxy_and_fixing[1]
    yield found
    found.machine.agent.run("rm", "-rf", FILE.rpartition("/")[0])
    cleaned = found.machine.agent.run("sh", "-c", f"rm -rf {JOURNAL} {SPOOL}; systemctl daemon-reload", timeout_s=300)
    assert cleaned == (0, "")


@pytest.fixture
def proxy(proxy_and_fixing: tuple[Proxy, Fixing]) -> Proxy:
    """The way to the helper."""
    return proxy_and_fixing[0]


def approved(fixing: Fixing) -> FixView:
    """A plan that another person said yes to."""
    fix = fixing.proposed("raise_unit_nproc", limit=400)
    return fixing.service.approve(DECIDES, fix.id, fix.digest)


def assert_honest(fixing: Fixing, fix: FixView) -> str:
    """Settled, by what the host has; and over. The state."""
    until = time.monotonic() + 120
    while (state := fixing.service.show(ASKS, fix.id).state) in {"running", "unknown"} and time.monotonic() < until:
        fixing.service.sweep()
        time.sleep(0.5)
    content = fixing.machine.agent.ask("read", FILE).text
    assert content in {"", WHOLE}
    if state != "approved":
        assert (content == WHOLE) == (state == "unresolved"), fixing.service.show(ASKS, fix.id)
        with pytest.raises(RefusedError) as refused:
            fixing.service.apply(ASKS, fix.id)
        assert refused.value.reason == "already_used"
        assert fixing.machine.agent.ask("read", FILE).text == content
    assert fixing.machine.agent.check("find", "/etc/systemd/system", "-name", ".triagebook.*") == ""
    runs = fixing.machine.agent.run("grep", "-lrsx", "action=unit_limit", "/var/lib/triagebook/journal")[1].split()
    assert len(runs) <= 1
    print(f"\n| {state} | runs {len(runs)} | {fixing.service.show(ASKS, fix.id).outcome}")
    return state


@pytest.mark.parametrize(("step", "seconds"), PROCESS)
def test_our_process_killed(fixing: Fixing, step: str, seconds: float) -> None:
    fix = approved(fixing)
    options = fixing.options
    asked = {
        "fix": fix.id,
        "data": str(options.data),
        "policy": str(options.policy),
        "inventory": str(fixing.fix_ssh_config.with_name("inventory.yaml")),
        "ssh_config": str(fixing.machine.ssh_config),
        "fix_ssh_config": str(fixing.fix_ssh_config),
        "lease_s": LEASE_S,
    }
    command = (sys.executable, "-m", "tests.lab.executor_main", json.dumps(asked))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        assert step in (line.strip() for line in process.stdout)
        time.sleep(seconds)
        process.kill()
    state = assert_honest(fixing, fix)
    assert state in ({"approved"} if step == "claim.before_commit" else {"failed", "unresolved", "reverted"})


@pytest.mark.parametrize("path", HELPER)
def test_the_helper_killed(fixing: Fixing, path: str) -> None:
    fix = approved(fixing)
    paths = tuple(HELPER)
    later = paths[paths.index(path) + 1 :]
    STEPS.at("apply.anchored", lambda: fixing.machine.agent.check(*KILLER, path, *later))
    done = patiently(lambda: fixing.service.apply(ASKS, fix.id))
    victim, *too_late = fixing.machine.agent.do("read", "/run/killed").splitlines()
    assert victim.isdigit()
    assert too_late == []
    assert done.state == "unknown", done
    assert assert_honest(fixing, fix) == HELPER[path]


@pytest.mark.parametrize("seconds", SECONDS)
def test_the_network_cut(fixing: Fixing, proxy: Proxy, seconds: float) -> None:
    fix = approved(fixing)
    STEPS.at("apply.anchored", threading.Timer(seconds, proxy.cut).start)
    cut = patiently(lambda: fixing.service.apply(ASKS, fix.id))
    assert cut.state == "unknown" or "nothing was sent" in cut.outcome, cut
    assert assert_honest(fixing, fix) in {"failed", "unresolved", "reverted"}
