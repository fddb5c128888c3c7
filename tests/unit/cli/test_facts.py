"""`triagebook facts HOST [KIND...]` reads facts by one login, without a verdict."""

import re
from pathlib import Path

import pytest

from tests.command import Triagebook


@pytest.fixture(scope="module")
def triagebook(tmp_path_factory: pytest.TempPathFactory) -> Triagebook:
    return Triagebook(tmp_path_factory.mktemp("home"))


def test_facts_of_this_machine_are_read_and_named_with_their_file(triagebook: Triagebook) -> None:
    run = triagebook("facts", "localhost", "kernel_limits", "host")
    assert (run.status, run.err) == (0, "")
    lines = run.out.splitlines()
    assert lines[0] == "kernel_limits"
    assert "host" in lines
    (pid_max,) = [line.split() for line in lines if line.startswith("  pid_max ")]
    assert (pid_max[2:], pid_max[1]) == (["ids", "/proc/sys/kernel/pid_max"], Path("/proc/sys/kernel/pid_max").read_text().strip())


def test_each_kind_is_a_line_of_json_with_its_facts_as_a_case_has_them(triagebook: Triagebook) -> None:
    (line,) = triagebook("facts", "replay:unit-tasksmax", "pids_cgroups", "--json").json()
    assert {name: line[name] for name in ("schema", "host", "kind")} == {
        "schema": "triagebook/facts/v1",
        "host": "replay:unit-tasksmax",
        "kind": "pids_cgroups",
    }
    (element,) = line["facts"]["limited"]["items"]
    assert (element["unit"], element["current"], element["max"]) == ("worker.service", 24, 24)


def test_without_kinds_all_are_read_of_a_case_those_that_it_has(triagebook: Triagebook) -> None:
    kinds = [line["kind"] for line in triagebook("facts", "replay:unit-tasksmax", "--json").json()]
    assert {"pids_cgroups", "meminfo", "kernel_limits"} <= set(kinds)


def test_an_element_of_a_list_is_a_block_with_the_files_of_its_own(triagebook: Triagebook) -> None:
    out = triagebook("facts", "replay:unit-tasksmax", "pids_cgroups").out
    assert "  limited: 1 listed, and 23 far from any limit\n    limited /system.slice/worker.service\n" in out
    assert "24 tasks   /sys/fs/cgroup/system.slice/worker.service/pids.current\n" in out
    assert not [line for line in out.splitlines() if line != line.rstrip()]


def test_a_size_is_told_in_bytes_that_can_be_pasted_and_as_people_read_it(triagebook: Triagebook) -> None:
    out = triagebook("facts", "replay:unit-tasksmax", "meminfo").out
    assert re.search(r"^  total_bytes +492834816 bytes \(470 MiB\)   /proc/meminfo MemTotal$", out, re.MULTILINE)


def test_what_grows_between_two_samples_is_read_by_two(triagebook: Triagebook) -> None:
    (once,) = triagebook("facts", "localhost", "kernel_limits", "--json").json()
    (twice,) = triagebook("facts", "localhost", "kernel_limits", "--samples", "2", "--json").json()
    assert once["facts"]["forks_delta"] == {"unreadable": "needs a second sample"}
    assert twice["facts"]["forks_delta"] >= 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("localhost", "memnfo"), "unknown kind of probe 'memnfo' (did you mean 'meminfo'?)"),
        (("localhost", "unit_settings"), "write unit_settings:SUBJECT"),
        (("localhost", "meminfo:x"), "meminfo takes no subject"),
        (("replay:unit-tasksmax", "unit_settings:x.service"), "replay:unit-tasksmax has no facts of unit_settings"),
        (("replay:nosuch", "meminfo"), "no case 'nosuch'"),
    ],
)
def test_what_cannot_be_read_is_said_with_what_to_write(triagebook: Triagebook, words: tuple[str, ...], said: str) -> None:
    run = triagebook("facts", *words)
    assert (run.status, run.out) == (2, "")
    assert said in run.err


def test_a_program_that_could_not_tell_is_unreadable_not_empty(triagebook: Triagebook) -> None:
    (line,) = triagebook("facts", "localhost", "unit_settings:no-such-unit.service", "--json").json()
    assert "unreadable" in line["facts"] or line["facts"]["load_state"] == "not-found"


def test_the_facts_of_a_runbook_are_read_by_its_own_names(triagebook: Triagebook) -> None:
    lines = triagebook("facts", "localhost", "--runbook", "enomem", "--json").json()
    assert {(line["probe"], line["kind"]) for line in lines} >= {("kernel", "kernel_limits"), ("mem", "meminfo")}
    assert triagebook("facts", "replay:unit-tasksmax", "-r", "enomem").out.splitlines().count("mem (meminfo)") == 1


@pytest.mark.parametrize("kind", ["sysctl", "proc_table", "rlimits"])
def test_a_kind_that_a_runbook_declares_is_not_read_by_itself(triagebook: Triagebook, kind: str) -> None:
    run = triagebook("facts", "localhost", kind)
    assert (run.status, run.out, f"{kind} reads what a runbook declares of it" in run.err) == (2, "", True), run
    assert kind not in triagebook("facts", "localhost", "kernel_limits", "--json").out
