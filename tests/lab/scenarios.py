"""The scenarios: how each is made, the symptom proven in the guest, and what a diagnosis must say. Data only.

Names of causes and states are those of the `enomem` runbook. `active` lists the states that are right: a limit whose
victim tries again each second is seen as `now` with two samples and as `at_limit` with one.
"""

from tests.lab.proofs import EAGAIN, ENOMEM, Counter, Fork, Login, Mmap, Victim
from tests.lab.scenario import Culprit, Expected, Scenario
from tests.lab.steps import Cgroup, LoginLimit, Session, Slice, Sysctl, Unit

FORK_EAGAIN = "bash: fork: retry: Resource temporarily unavailable"
FORK_ENOMEM = "bash: fork: Cannot allocate memory"
MMAP_ENOMEM = "mmap: Cannot allocate memory"
MIB = 1024 * 1024
APPUSER, ACME = 1003, 1002
FULL = ("now", "at_limit")

WORKER = Expected("pids_cgroup", FULL, Culprit("unit", unit="worker.service", path="/system.slice/worker.service"), "pids.max", 24)
APPUSER_NPROC = Expected("user_nproc", FULL, Culprit("user", user="appuser"), "RLIMIT_NPROC", 20)

SCENARIOS: dict[str, Scenario] = {
    "healthy": Scenario(
        title="nothing is wrong",
        symptom=FORK_EAGAIN,
        steps=(),
        proofs=(Fork(0, count=200), Mmap(0, mib=64), Login("diag", works=True)),
        expected=(),
    ),
    "unit-tasksmax": Scenario(
        title="a service at its TasksMax that keeps trying",
        symptom=FORK_EAGAIN,
        steps=(Unit("worker.service"),),
        proofs=(Victim("worker", "fork", EAGAIN), Fork(EAGAIN, inside="worker")),
        expected=(WORKER,),
        program="worker",
        unit="worker.service",
        user="acme",
    ),
    "slice-tasksmax": Scenario(
        title="a service without a limit in a slice that is at its own",
        symptom=FORK_EAGAIN,
        steps=(Unit("acme-api.service"),),
        proofs=(
            Victim("api", "fork", EAGAIN),
            Fork(EAGAIN, inside="api"),
            Counter("{pids}/acme.slice/pids.current", r"^(\d+)", 30),
        ),
        expected=(Expected("pids_cgroup", FULL, Culprit("unit", unit="acme.slice", path="/acme.slice"), "pids.max", 30),),
        program="api",
        unit="acme-api.service",
        user="acme",
    ),
    "template-unit": Scenario(
        title="an instance of a template unit at its TasksMax",
        symptom=FORK_EAGAIN,
        steps=(Unit("queue@orders.service"),),
        proofs=(Victim("queue", "fork", EAGAIN), Fork(EAGAIN, inside="queue")),
        expected=(
            Expected(
                "pids_cgroup",
                FULL,
                Culprit("unit", unit="queue@orders.service", path="/system.slice/system-queue.slice/queue@orders.service"),
                "pids.max",
                20,
            ),
        ),
        program="queue",
        unit="queue@orders.service",
        user="acme",
    ),
    "user-slice": Scenario(
        title="a user's slice at its TasksMax: new logins of that user fail",
        symptom=FORK_EAGAIN,
        steps=(Slice(f"user-{APPUSER}.slice", 24), Session("appuser", "/usr/local/bin/crunch processes 200")),
        proofs=(Victim("crunch", "fork", EAGAIN), Fork(EAGAIN, inside="crunch"), Login("appuser", works=False)),
        expected=(
            Expected(
                "pids_cgroup",
                FULL,
                Culprit("unit", unit=f"user-{APPUSER}.slice", path=f"/user.slice/user-{APPUSER}.slice", user="appuser"),
                "pids.max",
                24,
            ),
        ),
        program="crunch",
        user="appuser",
    ),
    "raw-cgroup": Scenario(
        title="a cgroup that no unit owns, made by mkdir",
        symptom=FORK_EAGAIN,
        steps=(Cgroup("legacyjob", 16, "acme", "/usr/local/bin/legacyjob processes 200"),),
        proofs=(Victim("legacyjob", "fork", EAGAIN), Fork(EAGAIN, inside="legacyjob")),
        expected=(Expected("pids_cgroup", FULL, Culprit("cgroup", path="/legacyjob"), "pids.max", 16),),
        program="legacyjob",
        user="acme",
    ),
    "user-nproc": Scenario(
        title="a user at the nproc of limits.d: new logins of that user fail",
        symptom=FORK_EAGAIN,
        steps=(LoginLimit("appuser", 20), Session("appuser", "/usr/local/bin/crunch processes 200")),
        proofs=(
            Victim("crunch", "fork", EAGAIN),
            Fork(EAGAIN, uid=APPUSER, limit=20),
            Fork(0, uid=APPUSER, limit=100),
            Login("appuser", works=False),
        ),
        expected=(APPUSER_NPROC,),
        program="crunch",
        user="appuser",
    ),
    "unit-limitnproc": Scenario(
        title="a service at its LimitNPROC",
        symptom=FORK_EAGAIN,
        steps=(Unit("report.service"),),
        proofs=(Victim("report", "fork", EAGAIN), Fork(EAGAIN, uid=ACME, limit=16), Fork(0, inside="report")),
        expected=(Expected("user_nproc", FULL, Culprit("user", user="acme", unit="report.service"), "RLIMIT_NPROC", 16),),
        program="report",
        unit="report.service",
        user="acme",
    ),
    "threads-max": Scenario(
        title="the host is at kernel.threads-max: nobody can fork, nobody can log in",
        symptom=FORK_EAGAIN,
        steps=(Sysctl("kernel.threads-max", 400), Unit("fillerd.service")),
        proofs=(
            Victim("fillerd", "pthread_create", EAGAIN),
            Fork(EAGAIN),
            Login("diag", works=False),
            Login("root", works=False),
        ),
        expected=(Expected("threads_max", FULL, Culprit("host", program="fillerd"), "kernel.threads-max", 400),),
        program="fillerd",
        unit="fillerd.service",
        diag_login=False,
        root_login=False,
    ),
    "threads-max-near": Scenario(
        title="the host is near kernel.threads-max",
        symptom=FORK_EAGAIN,
        steps=(Sysctl("kernel.threads-max", 400), Unit("filler-near.service")),
        proofs=(
            Victim("fillerd", "pthread_create", EAGAIN),
            Fork(EAGAIN, count=200, at_least=5),
            Login("diag", works=True),
        ),
        expected=(Expected("threads_max", ("near",), Culprit("host", program="fillerd"), "kernel.threads-max", 400),),
        program="fillerd",
        unit="filler-near.service",
    ),
    "pid-max": Scenario(
        title="no process number is free below kernel.pid_max: nobody can fork, nobody can log in",
        symptom=FORK_EAGAIN,
        steps=(Sysctl("kernel.pid_max", 800), Unit("fillerd.service")),
        proofs=(
            Victim("fillerd", "pthread_create", EAGAIN),
            Fork(EAGAIN),
            Login("diag", works=False),
            Login("root", works=False),
        ),
        expected=(Expected("pid_max", FULL, Culprit("host", program="fillerd"), "kernel.pid_max", 800),),
        program="fillerd",
        unit="fillerd.service",
        diag_login=False,
        root_login=False,
    ),
    "pid-max-near": Scenario(
        title="few process numbers are free below kernel.pid_max",
        symptom=FORK_EAGAIN,
        steps=(Sysctl("kernel.pid_max", 800), Unit("filler-near.service")),
        proofs=(
            Victim("fillerd", "pthread_create", EAGAIN),
            Fork(EAGAIN, count=200, at_least=5),
            Login("diag", works=True),
        ),
        expected=(Expected("pid_max", ("near",), Culprit("host", program="fillerd"), "kernel.pid_max", 800),),
        program="fillerd",
        unit="filler-near.service",
    ),
    "overcommit-ratio": Scenario(
        title="strict overcommit by ratio, all promised",
        symptom=FORK_ENOMEM,
        steps=(Sysctl("vm.overcommit_ratio", 60), Sysctl("vm.overcommit_memory", 2), Unit("cachesrv.service")),
        proofs=(Victim("cachesrv", "fork", ENOMEM), Victim("cachesrv", "mmap", ENOMEM), Mmap(ENOMEM, mib=64)),
        expected=(Expected("overcommit", FULL, Culprit("host", program="cachesrv"), "vm.overcommit_ratio", 60),),
        program="cachesrv",
        unit="cachesrv.service",
        user="acme",
        diag_login=None,
        root_login=None,
    ),
    "overcommit-kbytes": Scenario(
        title="strict overcommit by kbytes, all promised",
        symptom=FORK_ENOMEM,
        steps=(Sysctl("vm.overcommit_kbytes", 262144), Sysctl("vm.overcommit_memory", 2), Unit("cachesrv.service")),
        proofs=(Victim("cachesrv", "fork", ENOMEM), Victim("cachesrv", "mmap", ENOMEM), Mmap(ENOMEM, mib=64)),
        expected=(Expected("overcommit", FULL, Culprit("host", program="cachesrv"), "vm.overcommit_kbytes", 262144),),
        program="cachesrv",
        unit="cachesrv.service",
        user="acme",
        diag_login=None,
        root_login=None,
    ),
    "overcommit-fork": Scenario(
        title="strict overcommit with room for logins, but not for a child of a large process",
        symptom=FORK_ENOMEM,
        steps=(Sysctl("vm.overcommit_ratio", 70), Sysctl("vm.overcommit_memory", 2), Unit("cachesrv-fork.service")),
        proofs=(
            Victim("cachesrv", "fork", ENOMEM),
            Victim("cachesrv", "mmap", ENOMEM),
            Mmap(ENOMEM, mib=96),
            Login("diag", works=True),
        ),
        expected=(Expected("overcommit", FULL, Culprit("host", program="cachesrv"), "vm.overcommit_ratio", 70),),
        program="cachesrv",
        unit="cachesrv-fork.service",
        user="acme",
    ),
    "max-map-count": Scenario(
        title="a process at vm.max_map_count (its maps can only be counted by root)",
        symptom=MMAP_ENOMEM,
        steps=(Unit("mapper.service"),),
        proofs=(Victim("mapper", "mmap", ENOMEM), Fork(0, inside="mapper"), Mmap(0, mib=16)),
        expected=(
            Expected(
                "max_map_count",
                FULL,
                Culprit("process", unit="mapper.service", program="mapper"),
                "vm.max_map_count",
                65530,
            ),
        ),
        program="mapper",
        visible_to_diag=False,
        unit="mapper.service",
        user="acme",
    ),
    "limit-as": Scenario(
        title="a service at its LimitAS that needs half as much again",
        symptom=MMAP_ENOMEM,
        steps=(Unit("batch.service"),),
        proofs=(Victim("batch", "mmap", ENOMEM), Fork(0, inside="batch"), Mmap(0, mib=16)),
        expected=(
            Expected(
                "address_space",
                FULL,
                Culprit("process", unit="batch.service", program="batch"),
                "RLIMIT_AS",
                200 * MIB,
            ),
        ),
        program="batch",
        unit="batch.service",
        user="acme",
    ),
    "true-shortage": Scenario(
        title="little memory is left, and every process waits for it",
        symptom=FORK_ENOMEM,
        steps=(Unit("hog.service"),),
        proofs=(
            Victim("hog", "mmap", ENOMEM),
            Counter("/proc/pressure/memory", r"^full avg10=([\d.]+)", 5.01, timeout_s=60),
            Counter("/proc/vmstat", r"^pgscan_direct (\d+)", 1, rises=True),
            Login("diag", works=True),
        ),
        expected=(Expected("memory_shortage", FULL, Culprit("host", program="hog"), "MemAvailable", None),),
        program="hog",
        unit="hog.service",
        user="acme",
    ),
    "past-hit": Scenario(
        title="a service that hit its TasksMax earlier and has room now",
        symptom=FORK_EAGAIN,
        steps=(Unit("burst.service"),),
        proofs=(
            Victim("burst", "fork", EAGAIN),
            Fork(0, inside="burst"),
            Counter("{pids}{inside}/pids.events", r"^max (\d+)", 1, inside="burst"),
        ),
        expected=(
            Expected(
                "pids_cgroup",
                ("past",),
                Culprit("unit", unit="burst.service", path="/system.slice/burst.service"),
                "pids.max",
                24,
            ),
        ),
        program="burst",
        unit="burst.service",
        user="acme",
    ),
    "leak": Scenario(
        title="a service that leaks two processes a second towards its TasksMax",
        symptom=FORK_EAGAIN,
        steps=(Unit("leaky.service"),),
        proofs=(
            Victim("leaky", "fork", 0),
            Counter("{pids}{inside}/pids.current", r"^(\d+)", 3, inside="leaky", rises=True),
            Fork(0, inside="leaky"),
        ),
        expected=(
            Expected(
                "pids_cgroup",
                ("trend", "near"),
                Culprit("unit", unit="leaky.service", path="/system.slice/leaky.service"),
                "pids.max",
                300,
            ),
        ),
        program="leaky",
        unit="leaky.service",
        user="acme",
    ),
    "memcg-oom": Scenario(
        title="a service at its MemoryMax, alive and reclaiming without end (another runbook's cause)",
        symptom=FORK_ENOMEM,
        steps=(Unit("cacher.service"),),
        proofs=(
            Counter(
                "{memory}{inside}/memory.current",
                r"^(\d+)",
                0.98 * 96 * MIB,
                inside="cacher",
                v1="{memory}{inside}/memory.usage_in_bytes",
            ),
            Counter(
                "{memory}{inside}/memory.events",
                r"^(?:max )?(\d+)$",
                1,
                inside="cacher",
                rises=True,
                v1="{memory}{inside}/memory.failcnt",
            ),
            Fork(0, inside="cacher"),
        ),
        expected=(
            Expected(
                "cgroup_memory",
                FULL,
                Culprit("unit", unit="cacher.service", path="/system.slice/cacher.service"),
                "memory.max",
                96 * MIB,
            ),
        ),
        program="cacher",
        unit="cacher.service",
        user="acme",
    ),
    "dead-pid-namespace": Scenario(
        title="a PID namespace whose first process has died (another runbook's cause)",
        symptom=FORK_ENOMEM,
        steps=(Unit("orphan.service"),),
        proofs=(Victim("orphan", "fork", ENOMEM), Fork(0, inside="orphan"), Mmap(0, mib=64)),
        expected=(),
        unseen_cause="dead_pid_namespace",  # the program merely forks into it
        unseen_says="the first process of its PID namespace may have died",
        program="orphan",
        unit="orphan.service",
    ),
    "two-at-once": Scenario(
        title="a service at its TasksMax, and a user at nproc",
        symptom=FORK_EAGAIN,
        steps=(
            Unit("worker.service"),
            LoginLimit("appuser", 20),
            Session("appuser", "/usr/local/bin/crunch processes 200"),
        ),
        proofs=(
            Victim("worker", "fork", EAGAIN),
            Victim("crunch", "fork", EAGAIN),
            Fork(EAGAIN, inside="worker"),
            Fork(EAGAIN, uid=APPUSER, limit=20),
            Login("appuser", works=False),
        ),
        expected=(WORKER, APPUSER_NPROC),
        program="worker",
    ),
}
