"""Processes killed for memory, and what looks like it: by a group's limit, a slice's, the host, a person. Data only."""

from tests.lab.field_recipes import Recipe

RUNBOOK = "oom@1.0.1"
ACMED = "/opt/acme/bin/acmed"
EVENTS = "/sys/fs/cgroup/system.slice"
MEMCG_TEXT = "Memory cgroup out of memory: Killed process 4213 (tail) total-vm:213020kB, anon-rss:47104kB"
LOG = "journalctl -k -o cat --no-pager"

KILLED = {
    "killed-at-memorymax": Recipe(
        title="a service is killed at its MemoryMax and started anew",
        commands="systemd-run -q --unit=batchd -p MemoryMax=48M -p Restart=on-failure -p RestartSec=20 tail /dev/zero",
        symptom=MEMCG_TEXT,
        cause="memcg_limit memcg_gone",
        runbook=RUNBOOK,
        proof=f"{LOG} | grep -q oom_memcg=/system.slice/batchd.service",
        culprit="batchd.service system.slice",
    ),
    "killed-at-slice": Recipe(
        title="a slice's limit kills a service that has none",
        commands="mkdir -p /run/systemd/system; printf '[Slice]\\nMemoryMax=64M\\n' > /run/systemd/system/killer.slice; systemctl daemon-reload; "
        "systemd-run -q --unit=batchd --slice=killer.slice tail /dev/zero",
        symptom=MEMCG_TEXT,
        cause="memcg_limit",
        runbook=RUNBOOK,
        proof=f"{LOG} | grep -q oom_memcg=/killer.slice",
        culprit="killer.slice",
    ),
    "killed-for-the-host": Recipe(
        title="a service takes all memory of the host",
        commands="systemd-run -q --unit=batchd tail /dev/zero",
        symptom="Out of memory: Killed process 4213 (tail) total-vm:913020kB, anon-rss:384000kB, file-rss:0kB",
        cause="host_exhausted",
        runbook=RUNBOOK,
        proof=f"{LOG} | grep -q 'CONSTRAINT_NONE.*global_oom'",
        culprit="memory",
    ),
    "killed-for-tmpfs": Recipe(
        title="a service is killed for files in /dev/shm: its processes have next to nothing",
        commands="systemd-run -q --unit=shmsrv -p MemoryMax=48M sh -c 'head -c 90M /dev/zero > /dev/shm/blob; sleep 900'",
        symptom=MEMCG_TEXT,
        cause="memcg_limit memcg_gone",
        runbook=RUNBOOK,
        proof=f"{LOG} | grep -q oom_memcg=/system.slice/shmsrv.service",
        culprit="shmsrv.service system.slice",
    ),
    "killed-child": Recipe(
        title="children are killed at the limit, the service lives on (OOMPolicy=continue)",
        commands="systemd-run -q --unit=poolsrv -p MemoryMax=48M -p OOMPolicy=continue sh -c 'while :; do tail /dev/zero; sleep 3; done'",
        symptom=MEMCG_TEXT,
        cause="memcg_limit",
        runbook=RUNBOOK,
        proof=f"{LOG} | grep -q oom_memcg=/system.slice/poolsrv.service",
        culprit="poolsrv.service",
    ),
    "killed-together": Recipe(
        title="all processes of a service are killed together (OOMPolicy=kill)",
        commands=f"systemd-run -q --unit=poolsrv -p MemoryMax=48M -p OOMPolicy=kill sh -c '{ACMED} touch 5 & {ACMED} touch 5 & exec tail /dev/zero'",
        symptom=MEMCG_TEXT,
        cause="memcg_limit memcg_gone",
        runbook=RUNBOOK,
        proof=f"{LOG} | grep -q 'memory.oom.group'",
        is_unified_only=True,
        culprit="poolsrv.service system.slice",
    ),
    "killed-before": Recipe(
        title="a service was killed at its limit, and runs with less work since",
        commands="systemd-run -q --unit=batchd -p MemoryMax=48M tail /dev/zero; while systemctl -q is-active batchd; do sleep 1; done; systemctl reset-failed batchd; "
        f"systemd-run -q --unit=batchd -p MemoryMax=48M {ACMED} touch 5",
        symptom=MEMCG_TEXT,
        cause="memcg_gone",
        runbook=RUNBOOK,
        proof=f"{LOG} | grep -q oom_memcg=/system.slice/batchd.service && systemctl -q is-active batchd",
        culprit="batchd.service system.slice",
    ),
    "killed-by-hand": Recipe(
        title="near miss: somebody sends SIGKILL (exit status 137 too)",
        commands="systemd-run -q --unit=apisrv sleep 900; sleep 2; systemctl kill -s KILL apisrv; sleep 1",
        symptom="apisrv.service: Main process exited, code=killed, status=9/KILL",
        options=("--unit", "apisrv.service"),
        runbook=RUNBOOK,
        proof="systemctl show apisrv -p Result | grep -q signal",
    ),
    "slow-at-memoryhigh": Recipe(
        title="near miss: MemoryHigh slows a service down; nobody is killed",
        commands=f"systemd-run -q --unit=slowsrv -p MemoryHigh=30M {ACMED} touch 120; sleep 8",
        symptom="Killed",
        runbook=RUNBOOK,
        proof=f"grep -q '^high [1-9][0-9]' {EVENTS}/slowsrv.service/memory.events",
        is_unified_only=True,
    ),
    "refused-not-killed": Recipe(
        title="near miss: a program at LimitAS reports a refused allocation",
        commands="systemd-run -q --unit=batchd -p LimitAS=120M tail /dev/zero; sleep 3",
        symptom="tail: memory exhausted: MemoryError",
        runbook=RUNBOOK,
        proof="journalctl -u batchd -o cat --no-pager | grep -qi 'memory exhausted'",
    ),
}
