"""A laboratory of real broken hosts: Debian guests in QEMU with real faults. See README.md.

    from tests import lab

    with lab.machine("debian-12") as machine:             # resumes a snapshot; the first time builds and boots it
        context = machine.inject("unit-tasksmax")         # waits until the victim has met its symptom
        context.scenario.expected                         # what a diagnosis must say: cause, state, culprit, limit
        context.scenario.symptom, context.pid, context.cgroup
        symptoms = machine.prove()                        # the failing calls, made in the guest: errno and text
        machine.ssh_config, machine.alias("diag"), machine.alias("root")    # for `ssh -F` and for the product
        machine.ssh("diag", "cat /proc/loadavg")          # a new login by this machine's ssh
        machine.agent.run("systemctl", "status")          # as root, out of band
        machine.agent.do("read", "/proc/loadavg")         # the same without a fork; also ("write", PATH, TEXT)
        machine.clear()                                   # mended, ready for the next scenario
        machine = lab.reset(machine)                      # or thrown away and resumed anew

`lab.SCENARIOS` and `lab.RELEASES` are the tables. A machine that cannot be had raises `lab.NotAvailable` with one line.
"""

from .errors import LabError, NotAvailable, NotProven, NotStarted
from .lifecycle import attach, down, machine, reboot, reset, running, up
from .machines import Machine
from .proofs import Symptom
from .releases import RELEASES, Release
from .scenario import Context, Culprit, Expected, Scenario
from .scenarios import SCENARIOS

__all__ = [
    "RELEASES",
    "SCENARIOS",
    "Context",
    "Culprit",
    "Expected",
    "LabError",
    "Machine",
    "NotAvailable",
    "NotProven",
    "NotStarted",
    "Release",
    "Scenario",
    "Symptom",
    "attach",
    "down",
    "machine",
    "reboot",
    "reset",
    "running",
    "up",
]
