"""Error texts of killed and crashed programs are routed to their class; a text of another matter is called by its name."""

import pytest
from triagebook.runbooks.engine.routes import route_text
from triagebook.runbooks.engine.symptoms import route

from tests.quick import quick_share
from tests.runbooks import CATALOG

KILLED = (
    ("Memory cgroup out of memory: Killed process 4213 (python3) total-vm:213020kB, anon-rss:47104kB", "memcg"),
    ("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,oom_memcg=/a.slice,task_memcg=/a.slice/b.service", "memcg"),
    ("Tasks in /system.slice/a.service are going to be killed due to memory.oom.group set", "memcg"),
    ("Last State: Terminated  Reason: OOMKilled  Exit Code: 137", "container"),
    ("oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=0,cpuset=x,mems_allowed=0", "cpuset"),
    ("oom-kill:constraint=CONSTRAINT_MEMORY_POLICY,nodemask=0", "cpuset"),
    ("Out of memory: Killed process 4213 (python3) total-vm:913020kB", "global"),
    ("Out of memory: Kill process 77 (java) score 900 or sacrifice child", "global"),
    ("Out of memory (oom_kill_allocating_task): Killed process 7 (x)", "global"),
    ("Kernel panic - not syncing: System is deadlocked on memory", "global"),
    ("systemd-oomd[8]: Killed /user.slice/a due to memory pressure for /user.slice being 71.20% > 50.00% for > 30s", "early"),
    ("systemd-oomd killed 3 process(es) in this unit.", "early"),
    ('earlyoom[9]: sending SIGTERM to process 4213 uid 0 "python3": badness 962, VmRSS 208 MiB', "early"),
    ("The node was low on resource: memory. Threshold quantity: 100Mi", "early"),
    ("batchd.service: A process of this unit has been killed by the OOM killer.", "killed"),
    ("batchd.service: Main process exited, code=killed, status=9/KILL", "killed"),
    ("batchd.service: Failed with result 'oom-kill'.", "killed"),
    ("tail invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0", "killed"),
    ("Killed", "killed"),
    ("container exited with code 137", "killed"),
    ("make: *** [all] Killed signal 9", "killed"),
    ("wchan mem_cgroup_oom_synchronize", "hang"),
    ("MemoryError", "other"),
    ("java.lang.OutOfMemoryError: Java heap space", "other"),
    ("fatal: Out of memory, malloc failed (tried to allocate 33554432 bytes)", "other"),
    ("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", "other"),
    ("terminate called after throwing an instance of 'std::bad_alloc'", "other"),
    ("RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB", "other"),
    ("TCP: out of memory -- consider tuning tcp_mem", "other"),
    ("Segmentation fault (core dumped)", "other"),
    ("bash: fork: retry: Resource temporarily unavailable", "other"),
    ("Too many open files", ""),
)
# What `docker inspect` prints of every container that has ended.
DENIED = (
    ('"OOMKilled": false, "ExitCode": 137', "killed"),
    ("OOMKilled:false ExitCode:137", "killed"),
    ("OOMKilled=False exit status 137", "killed"),
    ('"OOMKilled": true, "ExitCode": 137', "container"),
    ("OOMKilled:true", "container"),
    ("Reason: OOMKilled", "container"),
)

CRASHED = (
    ("Segmentation fault (core dumped)", "segv"),
    ("acmefault[22344]: segfault at 0 ip 000055d86ac33432 sp 00007ffffd17ec10 error 6 in acmefault[55d86ac33000+1000]", "segv"),
    ("crashd.service: Main process exited, code=dumped, status=11/SEGV", "segv"),
    ("crashd.service: Main process exited, code=killed, status=11/SEGV", "segv"),
    ("crashd.service: Failed with result 'core-dump'.", "segv"),
    ("Main PID: 123 (code=killed, signal=SEGV)", "segv"),
    ("Main PID: 123 (code=dumped, signal=SEGV)", "segv"),
    ("Job for kiwix-serve.service failed because a fatal signal was delivered to the control process.", "segv"),
    ("kiwix-serve.service: Control process exited, code=killed, status=11/SEGV", "segv"),
    ("[ERROR] Worker (pid:54) was sent code 139!", "segv"),
    ("Process 77 was killed by signal 11", "segv"),
    ("worker 3 killed by signal: 11", "segv"),
    ("+++ killed by SIGSEGV (core dumped) +++", "segv"),
    ("child killed: segmentation violation", "segv"),
    ("DAMN ! worker 1 (pid: 9) died, killed by signal 11 :( trying respawn ...", "segv"),
    ("RuntimeError: DataLoader worker (pid 2) is killed by signal: Segmentation fault.", "segv"),
    ("Command '['x']' returned non-zero exit status -11.", "segv"),
    ("systemd-coredump[99]: Process 88 (acmed) of user 33 dumped core.", "segv"),
    ("AddressSanitizer: SEGV on unknown address 0x000000000000", "segv"),
    (" *** caught segfault *** address 0x18, cause 'memory not mapped'", "segv"),
    ("Speicherzugriffsfehler (Speicherabzug geschrieben)", "segv"),
    ("Erreur de segmentation", "segv"),
    ("Violación de segmento", "segv"),
    ("Main PID: 123 (code=killed, signal=ABRT)", "abort"),
    ("crashd.service: Main process exited, code=killed, status=6/ABRT", "abort"),
    ("mysqld got signal 6 ;", "abort"),
    ("bash: line 1:    77 Aborted                 (core dumped) ./x", "abort"),
    ("Fatal Python error: Aborted", "abort"),
    ("java.net.SocketException: Software caused connection abort", ""),
    ("requests.exceptions.ConnectionError: ('Connection aborted.', BadStatusLine())", ""),
    ("ERROR: current transaction is aborted, commands ignored until end of transaction block", ""),
    ("Main PID: 123 (code=killed, signal=BUS)", "bus"),
    ("+++ killed by SIGBUS +++", "bus"),
    ("Main PID: 123 (code=dumped, signal=ILL)", "ill"),
    ("Main PID: 123 (code=killed, signal=SYS)", "sys"),
    ("Main PID: 123 (code=killed, signal=KILL)", "other"),
    ("crashd.service: Main process exited, code=killed, status=15/TERM", "other"),
    ("Killed by signal 15.", "other"),
    ("child 5 exited with code 143", "other"),
    ("worker process 77 exited on signal 11 (core dumped)", "segv"),
    ("child pid 9 exit signal Segmentation fault (11)", "segv"),
    ("server process (PID 9) was terminated by signal 11: Segmentation fault", "segv"),
    ("panic: runtime error: invalid memory address or nil pointer dereference [signal SIGSEGV: segmentation violation]", "segv"),
    ("#  SIGSEGV (0xb) at pc=0x00007f, pid=1, tid=2", "segv"),
    ("Fatal Python error: Segmentation fault", "segv"),
    ("make: *** [check] Error 139", "segv"),
    ("container exited with code 139", "segv"),
    ("traps: acmed[9] general protection fault ip:55 sp:7f error:0 in acmed[55+1000]", "gp"),
    ("thread 'main' has overflowed its stack", "stack"),
    ("Bus error (core dumped)", "bus"),
    ("status=7/BUS", "bus"),
    ("Aborted (core dumped)", "abort"),
    ("free(): double free detected in tcache 2", "abort"),
    ("*** stack smashing detected ***: terminated", "abort"),
    ("malloc(): corrupted top size", "abort"),
    ("Illegal instruction (core dumped)", "ill"),
    ("traps: a[1] trap invalid opcode ip:1 sp:1 error:0", "ill"),
    ("Floating point exception (core dumped)", "trap"),
    ("Trace/breakpoint trap", "trap"),
    ("Bad system call (core dumped)", "sys"),
    ('audit: type=1326 audit(1.2:3): pid=9 comm="ls" sig=31 syscall=217', "sys"),
    ("Killed", "other"),
    ("crashd.service: Main process exited, code=killed, status=9/KILL", "other"),
    ("Out of memory: Killed process 4213 (python3)", "other"),
    ("mmap: Cannot allocate memory", "other"),
    ("error while loading shared libraries: libacme.so.1: file too short", "other"),
    ("symbol lookup error: ./useit: undefined symbol: acme_value", "other"),
    ("Too many open files", ""),
)


@pytest.mark.parametrize(
    ("runbook", "text", "error_class"),
    [(name, *row) for name in ("oom@1.0.0", "oom@1.0.1") for row in KILLED]
    + [("oom@1.0.1", *row) for row in DENIED]
    + [("segfault@1.0.0", *row) for row in CRASHED],
)
def test_a_text_is_routed_to_its_class(runbook: str, text: str, error_class: str) -> None:
    symptom = route(CATALOG.load(runbook), text)
    assert (symptom.error_class if symptom else "") == error_class


OWNED = [("oom", text) for text, error_class in (*KILLED, *DENIED) if error_class not in {"", "other"}]
OWNED += [("segfault", text) for text, error_class in CRASHED if error_class not in {"", "other"}]


@pytest.mark.parametrize("owned", quick_share(OWNED, name="-".join))
def test_a_text_of_one_runbook_is_never_led_by_another(owned: tuple[str, str]) -> None:
    runbook, text = owned
    routes = route_text(
        [CATALOG.load(name) for name in ("enomem@1.1.0", "oom@1.0.1", "segfault@1.0.0", "emfile@1.0.0", "tcp-memory@1.0.0")], text
    )
    assert [name for name, found in routes.items() if found.fit == "leads"] == [runbook]
