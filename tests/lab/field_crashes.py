"""Processes that crash, and what looks like it: a null pointer in a loop, a stack, a thread, a refused mapping, other signals. Data only."""

from tests.lab.field_recipes import Recipe

RUNBOOK = "segfault@1.0.0"
ACMED = "/opt/acme/bin/acmed"
LOG = "journalctl -k -o cat --no-pager"
SEGV_TEXT = "crashd.service: Main process exited, code=killed, status=11/SEGV"
LOG_ONLY = "a crash that no unit shows and no dump is stored of is in the kernel's log only"


def crashd(command: str, *settings: str) -> str:
    """Return what starts a unit of its own file: it stays loaded, with its result, when it has failed; one of systemd-run does not."""
    lines = "\\n".join(("[Service]", f"ExecStart={command}", *settings))
    return f"printf '{lines}\\n' > /run/systemd/system/crashd.service; systemctl daemon-reload; systemctl start --no-block crashd"


CRASHED = {
    "null-pointer-loop": Recipe(
        title="a service writes through a null pointer and is restarted again and again",
        commands=crashd(f"{ACMED} write 0 2", "Restart=on-failure", "RestartSec=3"),
        symptom=SEGV_TEXT,
        cause="crash_loop crash",
        leaves_no_trace=LOG_ONLY,
        runbook=RUNBOOK,
        proof=f"{LOG} | grep -q 'acmed.*segfault at 0 .*error 6' && [ $(systemctl show crashd -p NRestarts --value) -ge 3 ]",
        culprit="crashd.service acmed",
    ),
    "stack-limit": Recipe(
        title="a service calls itself until its stack of 256 KiB is used up",
        commands=crashd(f"{ACMED} stack", "LimitSTACK=256K"),
        symptom=SEGV_TEXT,
        cause="stack_limit crash_loop",
        leaves_no_trace=LOG_ONLY,
        runbook=RUNBOOK,
        proof=f"{LOG} | grep -q 'acmed.*segfault at .*error 6'",
        culprit="crashd.service acmed",
    ),
    "thread-stack": Recipe(
        title="a thread calls itself until its stack is used up",
        commands=crashd(f"{ACMED} tstack"),
        symptom=SEGV_TEXT,
        cause="thread_stack crash_loop",
        leaves_no_trace=LOG_ONLY,
        runbook=RUNBOOK,
        proof=f"{LOG} | grep -q 'acme-main.*segfault at .*error 6'",
        culprit="crashd.service acme-main",
    ),
    "unchecked-mapping": Recipe(
        title="a mapping of 900 MiB is refused on a host of 512, and its -1 is used as an address",
        commands=crashd(f"{ACMED} touch 900"),
        symptom=SEGV_TEXT,
        cause="unchecked_allocation crash_loop",
        leaves_no_trace=LOG_ONLY,
        runbook=RUNBOOK,
        proof=f"{LOG} | grep -q 'acmed.*segfault at ffffffffffffffff'",
        culprit="crashd.service acmed",
    ),
    "child-crashes": Recipe(
        title="a child crashes, the service lives on with the result success",
        commands=crashd(f'/bin/sh -c "{ACMED} read 0; sleep 900"'),
        symptom="Segmentation fault",
        cause="crash",
        leaves_no_trace=LOG_ONLY,
        names="group adm",
        runbook=RUNBOOK,
        proof=f"{LOG} | grep -q 'acmed.*segfault at 0'",
        culprit="acmed",
    ),
    "bus-error": Recipe(
        title="near miss: a mapped file is shortened; the kernel writes no line",
        commands=crashd(f"{ACMED} bus"),
        symptom="Bus error",
        cause="crash_loop",
        leaves_no_trace=LOG_ONLY,
        runbook=RUNBOOK,
        proof="[ $(systemctl show crashd -p ExecMainStatus --value) = 7 ]",
        culprit="crashd.service",
    ),
    "abort": Recipe(
        title="near miss: glibc ends a program that freed memory twice",
        commands=crashd(f"{ACMED} dfree"),
        symptom="crashd.service: Main process exited, code=killed, status=6/ABRT",
        cause="crash_loop",
        leaves_no_trace=LOG_ONLY,
        runbook=RUNBOOK,
        proof="[ $(systemctl show crashd -p ExecMainStatus --value) = 6 ]",
        culprit="crashd.service",
    ),
    "killed-not-crashed": Recipe(
        title="near miss: killed at a memory limit (SIGKILL), asked as a crash",
        commands=crashd(f"{ACMED} touch 100", "MemoryMax=24M"),
        symptom="crashd.service: Main process exited, code=killed, status=9/KILL",
        names="never a crash of its own",
        runbook=RUNBOOK,
        proof="[ $(systemctl show crashd -p Result --value) = oom-kill ]",
    ),
}
