"""Ten public reports of a refused request for memory, a process or a thread (tests/field/log.md), made in a guest. Data only."""

from tests.lab.field_further import ANOTHER_MATTER
from tests.lab.field_recipes import FX, Recipe

LATENT = "a request that mode 0 refuses is counted nowhere: no figure tells it from one that nobody made"
LISTENER = """\
use Socket;
my $path = sockaddr_un("/run/doveauth.socket");
socket(my $server, AF_UNIX, SOCK_STREAM, 0);
bind($server, $path) && listen($server, 1) or die;
for (1 .. 8) {
    socket(my $client, AF_UNIX, SOCK_STREAM | 2048, 0);
    push @clients, $client;
    connect($client, $path) or print STDERR "connect: $!\\n";
}
sleep 600;
"""


def _refused(unit: str, text: str) -> str:
    """A proof: the program says itself that it was refused."""
    return f"journalctl -u {unit} -o cat --no-pager | grep -m1 '{text}'"


TEN = {
    "icinga-tasks": Recipe(
        title="Icinga/icinga2#5611: TasksMax of the unit",
        commands=f"systemd-run -q --unit=icinga2 -p User=acme -p TasksMax=32 {FX} forks 64; sleep 4",
        symptom="Error: Function call 'fork' failed with error code 11, 'Resource temporarily unavailable'",
        cause="pids_cgroup",
        culprit="icinga2.service",
        proof=_refused("icinga2", "fork: .*errno 11"),
    ),
    "zilliqa-slice": Recipe(
        title="Zilliqa/zq1#151: TasksMax of the user's slice",
        commands=(
            f"systemd-run -q --slice=user-1003.slice --unit=zilliqa -p User=appuser sh -c 'sleep 3; exec {FX} threads 64 65536'; "
            "systemctl set-property --runtime user-1003.slice TasksMax=24; sleep 6"
        ),
        symptom=(
            "[DetachedFunction    ] Error: 1 times tried. Caught system_error with code generic:11 "
            "meaning Resource temporarily unavailable"
        ),
        cause="pids_cgroup",
        culprit="user-1003.slice",
        proof=_refused("zilliqa", "pthread_create: .*errno 11"),
    ),
    "caddy-processes": Recipe(
        title="antoinerrr/caddy-ansible#69: LimitNPROC=64 of the unit",
        commands=f"systemd-run -q --unit=caddy -p User=acme -p LimitNPROC=64 {FX} threads 100 65536; sleep 4",
        symptom="runtime: failed to create new OS thread (have 65 already; errno=11)",
        cause="user_nproc",
        culprit="acme caddy.service",
        proof=_refused("caddy", "pthread_create: .*errno 11"),
    ),
    "openblas-processes": Recipe(
        title="DaliangNing/iCAMP1#16: RLIMIT_NPROC, and a C library that speaks Chinese",
        commands=f"systemd-run -q --unit=rsession -p User=games -p LimitNPROC=76 {FX} threads 100 65536; sleep 4",
        symptom="OpenBLAS blas_thread_init: pthread_create failed for thread 76 of 80: 资源暂时不可用",
        cause="user_nproc",
        culprit="games rsession.service",
        proof=_refused("rsession", "pthread_create: .*errno 11"),
    ),
    "ghc-address-space": Recipe(
        title="compiler-explorer/compiler-explorer#1412: a limit of the address space, too small for the stack of one more thread",
        commands=f"systemd-run -q --unit=ghc -p User=acme -p LimitAS=128M {FX} defthreads 100; sleep 4",
        symptom="ghc: failed to create OS thread: Cannot allocate memory",
        cause="address_space address_space_latent",
        proof=_refused("ghc", "pthread_create: .*errno 1"),
    ),
    "julia-pools": Recipe(
        title="JuliaLang/julia#12610: what workers reserve is counted by strict overcommit",
        commands=(
            "sysctl -qw vm.overcommit_memory=2 vm.overcommit_ratio=95; "
            "room=$(awk '/^CommitLimit/ { limit = $2 } /^Committed_AS/ { print int((limit - $2) / 1024) - 48 }' /proc/meminfo); "
            f"systemd-run -q --unit=worker1 -p User=acme {FX} onceb 0 $room; "
            f"systemd-run -q --unit=worker2 -p User=acme {FX} bigmmap 96; sleep 4"
        ),
        symptom="could not allocate pools",
        cause="overcommit",
        proof=_refused("worker2", "mmap: .*errno 12"),
    ),
    "mcfork-large-parent": Recipe(
        title="rcastelo/GSVA#60: a parent larger than memory forks in mode 0",
        commands=f"systemd-run -q --unit=rworker -p User=acme {FX} onevma 768; sleep 5",
        symptom="Error in mcfork(detached) :   unable to fork, possible reason: Cannot allocate memory",
        cause="overcommit",
        leaves_no_trace=LATENT,
        proof=_refused("rworker", "fork: .*errno 12"),
    ),
    "elasticsearch-heap": Recipe(
        title="docker-library/elasticsearch#131: a heap of 10 GB on a smaller machine",
        commands=(
            "systemd-run -q --unit=elasticsearch -p User=acme -p Restart=always -p RestartSec=2 -p StartLimitIntervalSec=0 "
            f"{FX} bigmmap 10157 1; sleep 4"
        ),
        symptom="Native memory allocation (mmap) failed to map 10650189824 bytes for committing reserved memory.",
        cause="overcommit overcommit_log",
        leaves_no_trace=LATENT,
        proof=_refused("elasticsearch", "mmap: .*errno 12"),
    ),
    "dotnet-container": Recipe(
        title="dotnet/runtime#55964: pids limit of a container",
        commands=(
            "systemd-run -q --scope --unit=docker-5c6f1a0b2d3e4f5061728394a5b6c7d8e9f00112233445566778899aabbccdde -p TasksMax=30 "
            f"setpriv --reuid 999 --clear-groups {FX} threads 100 65536 >/run/dotnet.log 2>&1 & sleep 5"
        ),
        symptom=(
            "Unhandled exception. System.OutOfMemoryException: Exception of type 'System.OutOfMemoryException' was thrown. "
            "at System.Threading.Thread.StartCore()"
        ),
        cause="pids_cgroup",
        proof="grep -m1 'pthread_create: .*errno 11' /run/dotnet.log",
    ),
    "auth-socket-backlog": Recipe(
        title="chatmail/relay#436: a busy service does not accept, and its socket's backlog is full",
        commands=f"cat > /run/doveauth.pl <<'END'\n{LISTENER}END\nsystemd-run -q --unit=doveauth perl /run/doveauth.pl; sleep 4",
        symptom=(
            "auth-worker(998224): Error: conn unix:auth-worker: net_connect_unix(/run/doveauth/doveauth.socket) failed: "
            "Resource temporarily unavailable"
        ),
        cause="other",
        names="listen backlog",
        leaves_no_trace=ANOTHER_MATTER,
        proof=_refused("doveauth", "connect: Resource temporarily unavailable"),
    ),
}
