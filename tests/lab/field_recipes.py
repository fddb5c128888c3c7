"""Faults of the world: kinds of failure taken from public reports, each made in a guest and asked four ways. Data only.

`cause` is what a right answer names, of several any; none means that nothing is refused there, whatever it looks like. `names` is a phrase of the
headline that names the matter where no check judges it. `leaves_no_trace` says why nothing of it can be seen between two failures,
so that somebody who gives no text can only be told that it may be so. `proof` is tried as root until it exits with 0, for the guest to
show the fault before anybody is asked; `culprit` has the names of which one must be blamed.
"""

from dataclasses import dataclass

FX = "/opt/acme/bin/fx"


@dataclass(frozen=True)
class Recipe:
    """How a fault is made as root, the text its victim prints, and what is right to say."""

    title: str
    commands: str
    symptom: str
    cause: str = ""
    names: str = ""
    leaves_no_trace: str = ""
    options: tuple[str, ...] = ()
    runbook: str = "enomem@1.2.0"
    proof: str = ""
    culprit: str = ""
    accounts: tuple[str, ...] = ("diag", "root")  # who can ask at all
    may_refuse_logins: bool = False  # a login that fails is then a right answer if it says that this fits
    is_unified_only: bool = False  # it is made of what only cgroup v2 has: elsewhere nothing would be refused
    is_legacy_only: bool = False  # it is made of what only cgroup v1 has


RECIPES = {
    "memlock-mlock": Recipe(
        title="service at its RLIMIT_MEMLOCK (8 MiB default), keeps trying",
        commands="systemd-run -q --unit=lock -p User=acme  /opt/acme/bin/fx mlock 512; sleep 4",
        symptom="Unable to lock JVM Memory: error=12, reason=Cannot allocate memory",
        cause="locked_memory",
    ),
    "mode0-oversize-crash": Recipe(
        title="mode 0: a program asks for 2 GiB at once on a 1 GiB host, dies, is restarted",
        commands="systemd-run -q --unit=bigmmap -p User=acme -p Restart=always -p RestartSec=2 -p StartLimitIntervalSec=0 /opt/acme/bin/fx bigmmap 2048 1; sleep 5",
        symptom="OpenJDK 64-Bit Server VM warning: INFO: os::commit_memory(0x0000000080000000, 2147483648, 0) failed; error='Cannot allocate memory' (errno=12)",
        cause="overcommit overcommit_log",
        leaves_no_trace="a request that mode 0 refuses is counted nowhere, and its program is gone",
    ),
    "nofile-huge": Recipe(
        title="LimitNOFILE=1073741816: a program sizes a table by it (32 GiB), dies",
        commands="sysctl -qw fs.nr_open=1073741816; systemd-run -q --unit=erl -p User=acme -p LimitNOFILE=1073741816 -p Restart=always -p RestartSec=2 -p StartLimitIntervalSec=0 /opt/acme/bin/fx bigmmap 32768 1; sleep 4",
        symptom='sys_alloc: Cannot allocate 34359738368 bytes of memory (of type "db_tabs").',
        cause="overcommit overcommit_log",
        leaves_no_trace="a request that mode 0 refuses is counted nowhere, and its program is gone",
    ),
    "seccomp-eperm": Recipe(
        title="thread creation refused by a seccomp filter (EPERM), as an old docker does to a new libc",
        commands="systemd-run -q --unit=secc -p User=acme  /opt/acme/bin/fx seccomp 1; sleep 4",
        symptom="runtime/cgo: pthread_create failed: Operation not permitted",
        cause="seccomp",
        names="filter or a capability",
        leaves_no_trace="most services of a host have a seccomp filter; what it refuses is counted nowhere",
    ),
    "crash-loop-tasksmax": Recipe(
        title="service dies of its first refused thread (TasksMax=10, wants 40), restarted every 5 s",
        commands="systemd-run -q --unit=crash -p User=acme -p TasksMax=10 -p Restart=always -p RestartSec=5 -p StartLimitIntervalSec=0 /opt/acme/bin/fx crash 0 40; sleep 8",
        symptom="java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory or process/resource limits reached",
        cause="pids_cgroup pids_cgroup_gone pids_cgroup_log",
        leaves_no_trace="before Linux 6.11 the count goes with the cgroup; only root has the kernel's log",
    ),
    "crash-loop-limitnproc": Recipe(
        title="service that cannot start: LimitNPROC=10, its user already has 30 tasks elsewhere (no limit there)",
        commands="systemd-run -q --unit=base -p User=acme  /opt/acme/bin/fx threads 29 16384; systemd-run -q --unit=late -p User=acme -p LimitNPROC=10 -p Restart=always -p RestartSec=5 -p StartLimitIntervalSec=0 /opt/acme/bin/fx threads 4 16384; sleep 6",
        symptom="late.service: Failed at step EXEC spawning /opt/acme/bin/fx: Resource temporarily unavailable",
        cause="user_nproc user_nproc_latent user_nproc_unit",
        leaves_no_trace="RLIMIT_NPROC has no counter, and the unit dies before it has a process",
    ),
    "ulimit-v-latent": Recipe(
        title="user's sessions have as 600 MiB (limits.d); a program wants 1 GiB, fails, exits; the shell stays",
        commands="echo 'appuser - as 614400' > /etc/security/limits.d/91-as.conf; sysctl -qw vm.overcommit_memory=1; su - appuser -c 'setsid -f sh -c \"while :; do /opt/acme/bin/fx bigmmap 1024 1; sleep 2; done\" </dev/null >/tmp/as.log 2>&1'; sleep 4",
        symptom="Error occurred during initialization of VM: Could not reserve enough space for object heap; mmap: Cannot allocate memory",
        cause="address_space_latent",
        leaves_no_trace="RLIMIT_AS has no counter; a finite one is no fault by itself",
    ),
    "nproc-burst": Recipe(
        title="user's service forks bursts of 30 against LimitNPROC=20; between them it is at 2",
        commands="systemd-run -q --unit=bursts -p User=acme -p LimitNPROC=20 /opt/acme/bin/fx burst 30 6000 80; sleep 8",
        symptom="fork: retry: Resource temporarily unavailable",
        cause="user_nproc user_nproc_latent",
        leaves_no_trace="RLIMIT_NPROC has no counter, and the bursts live for 80 ms",
    ),
    "shared-idmap-ok": Recipe(
        title="two containers with the same id map: uid 100001 has 31 tasks in each, limit 50: nothing is refused (kernel 6.1)",
        commands="for n in ct1 ct2; do systemd-run -q --unit=$n -p LimitNPROC=50 /opt/acme/bin/fx userns 1 30; sleep 1; P=$(systemctl show -p MainPID --value $n); echo '0 100000 65536' > /proc/$P/uid_map; echo '0 100000 65536' > /proc/$P/gid_map; done; sleep 4",
        symptom="fork: retry: Resource temporarily unavailable",
    ),
    "nproc-hardening-1": Recipe(
        title="healthy host: a hardened service with LimitNPROC=1 (shipped so), one process, never forks",
        commands="systemd-run -q --unit=hard -p DynamicUser=yes -p LimitNPROC=1 /usr/bin/sleep infinity; sleep 3",
        symptom="fork: retry: Resource temporarily unavailable",
    ),
    "full-never-refused": Recipe(
        title="healthy: a unit with TasksMax=2 runs its two processes and never asks for more; pids.events says 0",
        commands="systemd-run -q --unit=two -p User=acme -p TasksMax=2 /opt/acme/bin/fx forks 1; sleep 3",
        symptom="fork: retry: Resource temporarily unavailable",
    ),
    "threaded-cgroup": Recipe(
        title="threads of a process live in a threaded child cgroup with pids.max 12; the process itself in the parent",
        commands="systemd-run -q --unit=thr -p Delegate=yes /bin/sh -c 'D=/sys/fs/cgroup/system.slice/thr.service; mkdir $D/w; echo threaded > $D/w/cgroup.type; echo +pids > $D/cgroup.subtree_control; echo 12 > $D/w/pids.max; exec /opt/acme/bin/fx threadcg $D/w'; sleep 5",
        symptom="pthread_create failed: Resource temporarily unavailable",
        cause="pids_cgroup",
        is_unified_only=True,
    ),
    "zombies": Recipe(
        title="unit full of zombies: parent never waits",
        commands="systemd-run -q --unit=zomb -p User=acme -p TasksMax=30 /opt/acme/bin/fx zombies 200; sleep 5",
        symptom="fork: retry: Resource temporarily unavailable",
        cause="pids_cgroup",
    ),
    "memcg-no-victim3": Recipe(
        title="memory.max full and nobody may be killed (OOMScoreAdjust=-1000): fork gets ENOMEM",
        commands="systemd-run -q --unit=vic -p User=acme -p MemoryMax=64M -p MemorySwapMax=0 -p OOMScoreAdjust=-1000 /opt/acme/bin/fx memcg 200 1; sleep 8",
        symptom="fork: Cannot allocate memory",
        cause="cgroup_without_victim",
    ),
    "addr32": Recipe(
        title="32-bit process at the end of its 4 GiB address space",
        commands="systemd-run -q --unit=old32 -p User=acme /opt/acme/bin/m32; sleep 4",
        symptom="mmap: Cannot allocate memory",
        cause="address_width",
    ),
    "stack-huge": Recipe(
        title="LimitSTACK=8T: each thread wants 8 TiB of address space",
        commands="systemd-run -q --unit=stk -p User=acme -p LimitSTACK=8T /opt/acme/bin/fx defthreads 100; sleep 4",
        symptom="pthread_create failed: Resource temporarily unavailable",
        cause="thread_stack",
    ),
    "aio-max-nr": Recipe(
        title="io_setup EAGAIN: fs.aio-max-nr used up",
        commands="echo 1024 > /proc/sys/fs/aio-max-nr; systemd-run -q --unit=aio -p User=acme /opt/acme/bin/fx aio 128 4096; sleep 4",
        symptom="InnoDB: Error: io_setup() failed with EAGAIN: Resource temporarily unavailable",
        cause="aio_events",
    ),
    "optmem": Recipe(
        title="attaching a socket filter ENOMEM: net.core.optmem_max too small",
        commands="sysctl -qw net.core.optmem_max=1024; systemd-run -q --unit=opt -p User=acme  /opt/acme/bin/fx optmem 400; sleep 4",
        symptom="setsockopt(SO_ATTACH_FILTER): Cannot allocate memory",
        cause="socket_options",
    ),
    "sigpending": Recipe(
        title="timer_create EAGAIN: RLIMIT_SIGPENDING",
        commands="systemd-run -q --unit=tim -p User=acme -p LimitSIGPENDING=100 /opt/acme/bin/fx timers; sleep 3",
        symptom="timer_create: Resource temporarily unavailable",
        cause="pending_signals",
    ),
    "unshare-pid": Recipe(
        title="unshare --pid without --fork: the shell's second child and all later ones get ENOMEM",
        commands="systemd-run -q --unit=unsh /opt/acme/bin/fx unsharepid; sleep 4",
        symptom="bash: fork: Cannot allocate memory",
        cause="dead_pid_namespace",
        names="first process of its PID namespace may have died",
        leaves_no_trace="a namespace without a process shows only in a link of /proc that nobody else may read",
    ),
    "nsenter-shell-ok": Recipe(
        title="healthy: an administrator's nsenter shell in a container's PID namespace, from another cgroup",
        commands="systemd-run -q --unit=ct unshare -pf --mount-proc sleep 9999; sleep 2; I=$(pgrep -x sleep | head -1); systemd-run -q --unit=adm nsenter -t $I -p -m sleep 8888; sleep 2",
        symptom="bash: fork: Cannot allocate memory",
    ),
    "docker-scope-pids": Recipe(
        title="container (docker, systemd cgroup driver) at its pids limit",
        commands="systemd-run -q --scope --unit=docker-3f4b1c0a9d8e7f6a5b4c3d2e1f00112233445566778899aabbccddeeff001122 -p TasksMax=20 setpriv --reuid 999 --clear-groups /opt/acme/bin/fx forks 200 >/run/d.log 2>&1 & sleep 5",
        symptom="OCI runtime exec failed: exec failed: container_linux.go:380: starting container process caused: process_linux.go:112: starting setns process caused: fork/exec /proc/self/exe: resource temporarily unavailable: unknown",
        cause="pids_cgroup",
    ),
    "kube-pod-slice": Recipe(
        title="Kubernetes: pod slice at podPidsLimit (systemd driver)",
        commands="S=kubepods-burstable-poda1b2c3d4_1111_2222_3333_444455556666.slice; systemd-run -q --scope --slice=$S --unit=cri-containerd-3f4b1c0a9d8e7f6a5b4c3d2e1f00112233445566778899aabbccddeeff001122 /opt/acme/bin/fx threads 200 16384 >/run/k.log 2>&1 & sleep 3; systemctl set-property --runtime kubepods-burstable-poda1b2c3d4_1111_2222_3333_444455556666.slice TasksMax=24; sleep 1; kill $(pgrep -x fx); systemd-run -q --scope --slice=kubepods-burstable-poda1b2c3d4_1111_2222_3333_444455556666.slice --unit=cri-containerd-221100ffeeddccbbaa99887766554433221100f1e2d3c4b5a6f7e8d9a0c1b4f3 /opt/acme/bin/fx threads 200 16384 >/run/k.log 2>&1 & sleep 5",
        symptom="runtime/cgo: pthread_create failed: Resource temporarily unavailable",
        cause="pids_cgroup",
    ),
    "lxc-payload": Recipe(
        title="LXC container at its pids limit (Proxmox: /lxc.payload.101 or /lxc/101/ns)",
        commands="R=/sys/fs/cgroup; [ ! -d $R/pids ] || R=$R/pids; P=$R/lxc/101/ns; mkdir -p $P; echo +pids > $R/lxc/cgroup.subtree_control; echo +pids > $R/lxc/101/cgroup.subtree_control; echo 24 > $R/lxc/101/pids.max; setsid -f sh -c 'echo $$ > '$P'/cgroup.procs; exec /opt/acme/bin/fx forks 200' </dev/null >/run/k.log 2>&1; sleep 4",
        symptom="fork: retry: Resource temporarily unavailable",
        cause="pids_cgroup",
    ),
    "outer-container": Recipe(
        title="container in a container: the outer one is at its pids limit, the inner scope has none",
        commands="R=/sys/fs/cgroup; [ ! -d $R/pids ] || R=$R/pids; P=$R/libpod_parent/libpod-3f4b1c0a9d8e7f6a5b4c3d2e1f00112233445566778899aabbccddeeff001122; mkdir -p $P/kubepods.slice/crio-221100ffeeddccbbaa99887766554433221100f1e2d3c4b5a6f7e8d9a0c1b4f3.scope; for d in $R/libpod_parent $P $P/kubepods.slice; do echo +pids > $d/cgroup.subtree_control; done; echo 24 > $P/pids.max; setsid -f sh -c 'echo $$ > '$P/kubepods.slice/crio-221100ffeeddccbbaa99887766554433221100f1e2d3c4b5a6f7e8d9a0c1b4f3.scope'/cgroup.procs; exec /opt/acme/bin/fx threads 100 16384' </dev/null >/run/o.log 2>&1; sleep 4",
        symptom="pthread_create failed (EAGAIN)",
        cause="pids_cgroup pids_cgroup_above",
    ),
    "limit-data": Recipe(
        title="service at LimitDATA=64M",
        commands="systemd-run -q --unit=data -p User=acme -p LimitDATA=64M /usr/local/bin/batch grow 1024 300; sleep 4",
        symptom="malloc: Cannot allocate memory",
        cause="address_space data_limit_log",
    ),
}
