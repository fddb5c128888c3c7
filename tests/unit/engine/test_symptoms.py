"""Error text to error class."""

import pytest
from triagebook.runbooks.engine.symptoms import classify

from tests.runbooks import CATALOG

RUNBOOK = CATALOG.load("enomem@1.0.0")


@pytest.mark.parametrize(
    ("text", "error_class"),
    [
        ("bash: fork: retry: Resource temporarily unavailable", "fork_eagain"),
        ("-bash: fork: Resource temporarily unavailable", "fork_eagain"),
        ("sh: 1: Cannot fork", "fork_eagain"),
        ("su: failed to execute /bin/bash: Resource temporarily unavailable", "fork_eagain"),
        ("worker.service: Failed at step EXEC spawning /usr/bin/worker: Resource temporarily unavailable", "fork_eagain"),
        ("(code=exited, status=203/EXEC)", "fork_eagain"),
        ("BlockingIOError: [Errno 11] Resource temporarily unavailable", "fork_eagain"),
        ("bash: fork: Cannot allocate memory", "fork_enomem"),
        ("fork/exec /usr/bin/git: cannot allocate memory", "fork_enomem"),
        ("OSError: [Errno 12] Cannot allocate memory", "fork_enomem"),
        ("worker: pthread_create: Resource temporarily unavailable (errno 11)", "thread"),
        ("java.lang.OutOfMemoryError: unable to create native thread", "thread"),
        ("RuntimeError: can't start new thread", "thread"),
        ("runtime: failed to create new OS thread (have 10 already; errno=11)", "thread"),
        ("mmap failed: Cannot allocate memory", "mmap_enomem"),
        ("malloc: Cannot allocate memory", "mmap_enomem"),
        ("java.io.IOException: Map failed", "mmap_enomem"),
        ("No space left on device", ""),
        ("Too many open files", ""),
        ("", ""),
    ],
)
def test_what_programs_say_is_routed_to_its_class(text: str, error_class: str) -> None:
    assert classify(RUNBOOK, text) == error_class


def test_a_thread_that_could_not_be_made_leaves_every_limit_open() -> None:
    own = [check for check in RUNBOOK.checks if not check.belongs_to]
    assert all("thread" in check.explains for check in own)


def test_the_two_errors_of_fork_share_no_count_limit() -> None:
    eagain = {check.id for check in RUNBOOK.checks if "fork_eagain" in check.explains}
    enomem = {check.id for check in RUNBOOK.checks if "fork_enomem" in check.explains}
    assert eagain == {"pids_cgroup", "user_nproc", "threads_max", "pid_max"}
    assert not eagain & enomem
