"""Error texts of killed and crashed programs are routed to their class; a text of another matter is called by its name."""

import pytest
from triagebook.runbooks.engine.symptoms import route

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
CRASHED = (
    ("Segmentation fault (core dumped)", "segv"),
    ("acmefault[22344]: segfault at 0 ip 000055d86ac33432 sp 00007ffffd17ec10 error 6 in acmefault[55d86ac33000+1000]", "segv"),
    ("crashd.service: Main process exited, code=dumped, status=11/SEGV", "segv"),
    ("crashd.service: Main process exited, code=killed, status=11/SEGV", "segv"),
    ("crashd.service: Failed with result 'core-dump'.", "segv"),
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
    [("oom@1.0.0", *row) for row in KILLED] + [("segfault@1.0.0", *row) for row in CRASHED],
)
def test_a_text_is_routed_to_its_class(runbook: str, text: str, error_class: str) -> None:
    symptom = route(CATALOG.load(runbook), text)
    assert (symptom.error_class if symptom else "") == error_class
