"""The faults and what is true of each: who is to blame, by which figures, who is innocent, and what may be concluded. Data only.

Some were there when the runbook was written (scenarios of tests/lab); those with `commands` of their own were held out: no case of
a runbook was recorded from them. A fact counts when its value stands in the text together with its subject, on one line or
in one object; two facts with the same value of the same subject need it twice. In a pattern, `{pid}` is the process of the culprit
and `{CommitLimit}` what root read in the guest, in kB, bytes or MiB.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

EAGAIN = "bash: fork: retry: Resource temporarily unavailable"
ENOMEM = "bash: fork: Cannot allocate memory"


@dataclass(frozen=True)
class Fact:
    """A figure of `who`: `subject` and `value` are patterns."""

    who: str
    what: str
    subject: str
    value: str


@dataclass(frozen=True)
class Fault:
    """A fault: how it is made, what an oracle knows of it, and the truth.

    `causes` are those that a verdict must name, of several in one text any; none: it is none that the runbooks know or that this
    user may see, and only `inconclusive` is right. `is_healthy`: nothing is refused, and nothing may be blamed.
    """

    title: str
    symptom: str
    told: Mapping[str, str] = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()
    causes: tuple[str, ...] = ()
    is_healthy: bool = False
    commands: str = ""  # as root, in place of the laboratory's scenario of that name

    @property
    def is_held_out(self) -> bool:
        return bool(self.commands)


def full(who: str, subject: str, number: int) -> tuple[Fact, ...]:
    """Used up: as much is in use as the limit allows."""
    return tuple(Fact(who, what, subject, rf"\b{number}\b") for what in ("limit", "usage"))


def told(unit: str = "", cgroup: str = "", user: str = "") -> Mapping[str, str]:
    """What an oracle knows; the process is looked up in the guest."""
    return {"unit": unit, "cgroup": cgroup, "user": user}


WORKER = full("worker.service", r"\bworker\.service", 24)
APPUSER = full("appuser", r"\bappuser\b|\b1003\b|/proc/{pid}/", 20)
FORKS = '$n=shift;for(;;){$p=fork;if(!defined $p){print STDERR "fork: $!\\n";sleep 1}elsif(!$p){sleep 99999;exit}}'
POOL = 'for(1..8){$p=fork;if(!$p){sleep 99999;exit}}for(;;){print STDERR "pooler: cannot fork: Cannot allocate memory\\n";sleep 1}'
PROGRAMS = f"cat >/run/forks.pl <<'END'\n{FORKS}\nEND\ncat >/run/pool.pl <<'END'\n{POOL}\nEND\n"

# Beside every fault, each at 90 % of a limit of its own, or just above.
INNOCENT = (
    Fact("ledger.service", "limit", r"\bledger\.service", r"\b20\b"),
    Fact("ledger.service", "usage", r"\bledger\.service", r"\b18\b"),
    Fact("indexer.service", "limit", r"\bindexer\.service|\bgames\b", r"\b10\b"),
    Fact("indexer.service", "usage", r"\bindexer\.service|\bgames\b", r"\b9\b"),
    Fact("archive.service", "limit", r"\barchive\.service", r"\b12582912\b|\b12(\.0)? ?Mi?B?\b"),
    Fact("archive.service", "usage", r"\barchive\.service", r"\b1[12]\d{6}\b|\b1[12](\.\d+)? ?Mi?B?\b"),
)
MAKE_INNOCENT = """
idle='for i in $(seq $0); do sleep 99999 & done; wait'
systemd-run -q --unit=ledger -p TasksMax=20 sh -c "$idle" 17
systemd-run -q --unit=indexer -p User=games -p LimitNPROC=10 sh -c "$idle" 8
systemd-run -q --unit=archive -p MemoryMax=12M sh -c 'head -c 11100k /dev/zero >/dev/shm/archive; sleep 99999'
sleep 2
"""

FAULTS: Mapping[str, Fault] = {
    "unit-tasksmax": Fault(
        "a service at its TasksMax",
        EAGAIN,
        told("worker.service", "/system.slice/worker.service", "acme"),
        WORKER,
        ("pids_cgroup",),
    ),
    "user-nproc": Fault("a user at the nproc of limits.d", EAGAIN, told(user="appuser"), APPUSER, ("user_nproc",)),
    "pid-max": Fault(
        "the host at kernel.pid_max: nobody can fork or log in",
        EAGAIN,
        told("fillerd.service", "/system.slice/fillerd.service", "root"),
        (Fact("fillerd", "limit", "pid_max", r"\b800\b"), Fact("fillerd", "usage", "fillerd", r"\b[345]\d\d\b")),
        ("pid_max",),
    ),
    "overcommit-fork": Fault(
        "strict overcommit: room for a login, none for a child of a large process",
        ENOMEM,
        told("cachesrv-fork.service", "/system.slice/cachesrv-fork.service", "acme"),
        (
            Fact("cachesrv", "mode", r"overcommit_memory|overcommit", r"\b2\b|\bstrict"),
            Fact("cachesrv", "limit", "(?i)commit ?limit", "{CommitLimit}"),
            Fact("cachesrv", "user", "cachesrv", r"\b\d\d+"),
        ),
        ("overcommit",),
    ),
    "memcg-oom": Fault(
        "a service at its MemoryMax that reclaims without end",
        ENOMEM,
        told("cacher.service", "/system.slice/cacher.service", "acme"),
        (
            Fact("cacher.service", "limit", r"\bcacher\.service", r"\b100663296\b|\b96(\.0)? ?Mi?B?\b"),
            Fact("cacher.service", "usage", r"\bcacher\.service", r"\b(9\d|100)\d{6}\b|\b9[3-6](\.\d+)? ?Mi?B?\b"),
        ),
        ("cgroup_memory memcg_limit",),
    ),
    "nested-slice": Fault(
        "a slice inside a slice at its TasksMax, around an instance of a template",
        EAGAIN,
        told("web-blue.slice", "/web.slice/web-blue.slice", "root"),
        full("web-blue.slice", r"\bweb-blue\.slice", 14),
        ("pids_cgroup",),
        commands="systemd-run -q --slice=web-blue.slice --unit=mailer@7 sleep 99999\n"
        "systemctl set-property --runtime web-blue.slice TasksMax=14\n"
        "systemd-run -q --slice=web-blue.slice --unit=mailer@8 perl /run/forks.pl\n",
    ),
    "seccomp-again": Fault(
        "a filter of system calls refuses fork with EAGAIN: no limit is full",
        EAGAIN,
        told("packer.service", "/system.slice/packer.service", "root"),
        commands="systemd-run -q --unit=packer -p 'SystemCallFilter=~fork vfork clone clone3' -p SystemCallErrorNumber=EAGAIN "
        "perl /run/forks.pl\n",
    ),
    "own-limit": Fault(
        "a program says ENOMEM because of a number in its own settings",
        ENOMEM,
        told("pooler.service", "/system.slice/pooler.service", "root"),
        commands="systemd-run -q --unit=pooler perl /run/pool.pl\n",
    ),
}
