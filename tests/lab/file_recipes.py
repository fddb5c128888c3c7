"""Faults of open files, made in a guest and asked four ways. Data only."""

from tests.lab.field_recipes import Recipe

RUNBOOK = "emfile"
FDS = "/opt/acme/bin/fds"
TEXT = "accept4() failed (24: Too many open files)"
LOG = "-p StandardOutput=append:/run/acme.log"
UNIT = f"systemd-run -q -p User=acme {LOG}"
REFUSED = "grep -m1 'errno 24' /run/acme.log"

RECIPES = {
    "unit-nofile": Recipe(
        title="unit with LimitNOFILE=64 wants more",
        commands=f"{UNIT} --unit=fdsrv -p LimitNOFILE=64 {FDS} null 5000; sleep 5",
        symptom=f"fdsrv.service: {TEXT}",
        cause="nofile_soft nofile_counted",
        proof=REFUSED,
        runbook=RUNBOOK,
    ),
    "soft-default": Recipe(
        title="unit with systemd's default, 1024 soft of 524288 hard",
        commands=f"{UNIT} --unit=fdsrv {FDS} null 5000; sleep 5",
        symptom=f"fdsrv.service: {TEXT}",
        cause="nofile_soft nofile_counted",
        proof=REFUSED,
        runbook=RUNBOOK,
    ),
    "login-nofile": Recipe(
        title="login with nofile 40 (limits.d)",
        commands=(
            "echo 'appuser - nofile 40' > /etc/security/limits.d/90-acme.conf; "
            f"setsid -f su - appuser -c 'exec {FDS} null 500 >/tmp/appuser.log 2>&1' </dev/null >/dev/null 2>&1; sleep 6"
        ),
        symptom="OSError: [Errno 24] Too many open files",
        cause="nofile_soft nofile_counted",
        proof="grep -m1 'errno 24' /tmp/appuser.log",
        runbook=RUNBOOK,
    ),
    "deleted-files-leak": Recipe(
        title="leak of deleted files, soft 200",
        commands=f"{UNIT} --unit=fdsrv -p LimitNOFILE=200 {FDS} deleted 5000; sleep 5",
        symptom=f"fdsrv.service: {TEXT}",
        cause="nofile_soft nofile_counted",
        proof=REFUSED,
        runbook=RUNBOOK,
    ),
    "lowered-limit": Recipe(
        title="100 open, the limit lowered to 32",
        commands=(
            f"{UNIT} --unit=fdsrv -p LimitNOFILE=104 {FDS} null 5000; sleep 5; "
            "prlimit --pid $(systemctl show -p MainPID --value fdsrv) --nofile=32:104; sleep 4"
        ),
        symptom=f"fdsrv.service: {TEXT}",
        cause="nofile_soft nofile_counted",
        proof=REFUSED,
        runbook=RUNBOOK,
    ),
    "file-max": Recipe(
        title="fs.file-max is full: 500 above what was open",
        commands=(
            "used=$(cut -f1 /proc/sys/fs/file-nr); systemd-run -q -p LimitNOFILE=20000 -p User=acme "
            f"{LOG} --unit=fdsrv {FDS} null 20000; sleep 3; echo $((used + 500)) > /proc/sys/fs/file-max; sleep 5"
        ),
        symptom="Failed to acquire system context: Too many open files in system",
        cause="file_max file_max_log",
        proof="cat /proc/sys/fs/file-nr; awk '{exit !($1 + 64 >= $3)}' /proc/sys/fs/file-nr",
        runbook=RUNBOOK,
        may_refuse_logins=True,
    ),
    "all-inotify-instances": Recipe(
        title="user with all 128 inotify instances",
        commands=f"{UNIT} --unit=watchd {FDS} watch 300 0; sleep 5",
        symptom="failed to create fsnotify watcher: too many open files",
        cause="inotify_instances inotify_instances_text",
        leaves_no_trace="the kernel shows no count of them",
        proof=REFUSED,
        runbook=RUNBOOK,
    ),
    "inotify-watches": Recipe(
        title="user with all 100 watches",
        commands=f"echo 100 > /proc/sys/fs/inotify/max_user_watches; {UNIT} --unit=watchd {FDS} watch 1 300; sleep 5",
        symptom="inotify_add_watch: No space left on device",
        cause="inotify_watches inotify_watches_text",
        leaves_no_trace="the kernel shows no count of them",
        proof="grep -m1 'errno 28' /run/acme.log",
        runbook=RUNBOOK,
    ),
    "fdsize-near-miss": Recipe(
        title="healthy: a table of 1024, as large as the limit, and five files open",
        commands=f"{UNIT} --unit=fdsrv {FDS} high 1000; sleep 5",
        symptom="",
        proof="grep -m1 'holding 1' /run/acme.log",
        runbook=RUNBOOK,
    ),
    "select-1024": Recipe(
        title="healthy for the kernel: a descriptor above 1023 in select()",
        commands=f"{UNIT} --unit=fdsrv -p LimitNOFILE=8192 {FDS} select 1100; sleep 5",
        symptom="ValueError: filedescriptor out of range in select()",
        proof="grep -m1 'out of range in select' /run/acme.log",
        runbook=RUNBOOK,
    ),
    "disk-full-not-inotify": Recipe(
        title="the disk is full: the text of watches, another matter",
        commands="mkdir -p /tmp/small; mount -t tmpfs -o size=1M none /tmp/small; dd if=/dev/zero of=/tmp/small/x bs=64k 2>/run/acme.log",
        symptom="dd: error writing '/tmp/small/x': No space left on device",
        proof="grep -m1 'No space left' /run/acme.log",
        runbook=RUNBOOK,
    ),
}
