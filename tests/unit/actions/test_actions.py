"""Actions: the change and the commands that follow from what a host printed, and what is refused at once."""

import os
import re
import subprocess
from dataclasses import is_dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triagebook.runbooks.engine.errors import ParseError, TriagebookError, UsageError
from triagebook.runbooks.probes.catalog import facts_types
from triagebook.tools.actions import ACTIONS, process
from triagebook.tools.actions.action import Action, Params, Step
from triagebook.tools.actions.helper import build
from triagebook.tools.actions.orders import FIELDS, OrderedChange
from triagebook.tools.actions.sysctl import KERNEL_VALUES
from triagebook.tools.collector import readings
from triagebook.tools.execute.capture import CAP_BYTES

UNIT = """LoadState=loaded
ActiveState=active
ControlGroup=/system.slice/shop.service
TasksMax=20
InvocationID=0123456789abcdef0123456789abcdef
LimitNPROC=3790
LimitNPROCSoft=60
LimitAS=infinity
LimitASSoft=infinity
LimitMEMLOCK=8388608
LimitMEMLOCKSoft=65536
LimitDATA=infinity
LimitDATASoft=67108864
pids.max=20
"""
PROCESSES = """Name:\tsh
Pid:\t812
PPid:\t1
Uid:\t1001\t1001\t1001\t1001
Threads:\t1
Limit                     Soft Limit           Hard Limit           Units
Max processes             60                   60                   processes
Max locked memory         65536                8388608              bytes
Max address space         unlimited            unlimited            bytes
812 (sh) S 1 812 812 0 -1 4194560 600 0 0 0 1 2 0 0 20 0 1 0 4242 2600000 200 18446744073709551615
Name:\ta) b (c
Pid:\t813
PPid:\t812
Uid:\t1001\t1001\t1001\t1001
Threads:\t7
Limit                     Soft Limit           Hard Limit           Units
Max processes             60                   3790                 processes
Max address space         300000000            unlimited            bytes
813 (a) b (c) S 812 812 812 0 -1 4194560 600 0 0 0 1 2 0 0 20 0 1 0 4243 2600000 200 18446744073709551615
"""
DF = "Filesystem Type 1024-blocks Used Available Capacity Mounted on\n/dev/vda1 ext4 1000000 1 800000 1% /\n"


def test_the_registry_the_orders_and_the_helper_know_the_same_actions() -> None:
    assert set(ACTIONS) == set(FIELDS) - {"undo"}
    assert [name for name, action in ACTIONS.items() if action.name != name] == []
    text = build.source()
    for name, action in ACTIONS.items():
        for verb in ("parse", "check", "apply", "observe", "restore", "undo_guard"):
            assert f"\n{verb}_{name}() {{" in text
        assert (f"undo_guard_{name}() {{ refuse no_undo; }}" in text) == (action.undo == "none")


def test_the_helper_reads_the_fields_in_the_order_they_are_written() -> None:
    text = build.source()
    common = text.split("\nparse_action() {", 1)[1].split("\n}\n", 1)[0]
    for name, fields in FIELDS.items():
        if name == "undo":
            block = common.split("fi\n", 1)[0]
        else:
            block = common.split("fi\n", 1)[1] + text.split(f"\nparse_{name}() {{\n", 1)[1].split("\n}\n", 1)[0]
        words = block.replace("parse_process\n", "field pid field start field uid\n").split()
        assert tuple(word for previous, word in pairwise(words) if previous == "field") == fields


INVOCATION = "0123456789abcdef" * 2
MEMORY = "LoadState=loaded\nActiveState=active\nMemoryMax=50331648\nMainPID=812\nmemory.max=50331648\nmemory.current=41943040\n"
CASES: list[tuple[str, Params, Step, str, str, str, str]] = [
    ("unit_tasks_max", {"unit": "shop.service", "limit": 400}, "live", UNIT, "20", "400", "live shop.service 20 400"),
    (
        "unit_tasks_max",
        {"unit": "shop.service", "limit": 9},
        "persist",
        UNIT.replace("=20", "=8"),
        "8",
        "9",
        "persist shop.service 8 9",
    ),
    (
        "unit_memory_max",
        {"unit": "shop.service", "limit": 100663296},
        "live",
        MEMORY,
        "50331648",
        "100663296",
        "live shop.service 50331648 100663296",
    ),
    (
        "unit_limit",
        {"unit": "shop.service", "resource": "nproc", "limit": 500},
        "persist",
        UNIT,
        "60:3790",
        "500:3790",
        "persist shop.service nproc 60:3790 500",
    ),
    (
        "unit_limit",
        {"unit": "shop.service", "resource": "memlock", "limit": 16777216},
        "persist",
        UNIT,
        "65536:8388608",
        "16777216:16777216",
        "persist shop.service memlock 65536:8388608 16777216",
    ),
    (
        "unit_limit",
        {"unit": "shop.service", "resource": "data", "limit": 134217728},
        "persist",
        UNIT,
        "67108864:unlimited",
        "134217728:unlimited",
        "persist shop.service data 67108864:unlimited 134217728",
    ),
    (
        "process_limit",
        {"pid": 812, "resource": "memlock", "limit": 131072},
        "live",
        PROCESSES,
        "65536:8388608",
        "131072:8388608",
        "live 812 4242 1001 memlock 65536:8388608 131072",
    ),
    (
        "user_memlock",
        {"user": "shop", "uid": 1001, "limit": 16777216},
        "persist",
        PROCESSES,
        "65536:8388608",
        "16777216:16777216",
        "persist shop 1001 65536:8388608 16777216",
    ),
    (
        "unit_restart",
        {"unit": "shop.service"},
        "live",
        UNIT,
        f"running as invocation {INVOCATION}",
        "restarted",
        f"live shop.service {INVOCATION}",
    ),
    (
        "sysctl",
        {"key": "vm.max_map_count", "value": 262144},
        "live",
        "65530\n",
        "65530",
        "262144",
        "live vm.max_map_count 65530 262144",
    ),
    (
        "process_limit",
        {"pid": 813, "resource": "as", "limit": 500000000},
        "live",
        PROCESSES,
        "300000000:unlimited",
        "500000000:unlimited",
        "live 813 4243 1001 as 300000000:unlimited 500000000",
    ),
    (
        "user_nproc",
        {"user": "shop", "uid": 1001, "limit": 200},
        "live",
        PROCESSES,
        "1 x 60:60, 1 x 60:3790",
        "1 x 200:200, 1 x 200:3790",
        "live shop 1001 812:4242:60:60,813:4243:60:3790 none 200",
    ),
    (
        "user_nproc",
        {"user": "shop", "uid": 1001, "limit": 200},
        "persist",
        PROCESSES,
        "60:60",
        "200:200",
        "persist shop 1001 none 60:60 200",
    ),
    (
        "process_signal",
        {"pid": 812, "signal": "TERM"},
        "live",
        PROCESSES,
        "running",
        "asked to end (SIGTERM)",
        "live 812 4242 1001 TERM",
    ),
    (
        "swap_file",
        {"path": "/triagebook.swap", "size_mib": 512},
        "live",
        DF,
        "no such file",
        "512 MiB of swap in use",
        "live /triagebook.swap 512",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[2]}")
def test_a_change_says_now_and_then(case: tuple[str, Params, Step, str, str, str, str]) -> None:
    action, params, step, output, now, then, values = case
    planned = ACTIONS[action].plan_change(params, step, [output])
    assert (planned.now, planned.then) == (now, then)
    ordered = OrderedChange(action, tuple(planned.order.items()))  # fields of the action, in their order
    assert " ".join(value for _, value in ordered.fields) == values
    assert bool(planned.undo_commands) == (ACTIONS[action].undo == "captured")


def test_the_commands_for_a_persons_hands_are_exact() -> None:
    planned = ACTIONS["unit_tasks_max"].plan_change({"unit": "a\\x2db@1.service", "limit": 400}, "persist", [UNIT])
    folder = "'/etc/systemd/system/a\\x2db@1.service.d'"
    assert planned.as_shell()[0] == f"mkdir -p {folder}"
    assert planned.as_shell()[-1] == "systemctl daemon-reload"
    assert planned.undo_as_shell() == (f"rm {folder[:-1]}/zz-triagebook-TasksMax.conf'", "systemctl daemon-reload")
    assert "revert" not in " ".join((*planned.as_shell(), *planned.undo_as_shell()))


def test_the_command_that_writes_a_file_writes_exactly_that(tmp_path) -> None:  # type: ignore[no-untyped-def]
    planned = ACTIONS["sysctl"].plan_change({"key": "vm.max_map_count", "value": 65530}, "persist", ["65530\n"])
    argv = [word.replace("/etc/sysctl.d", str(tmp_path)) for word in planned.commands[0]]
    subprocess.run(argv, check=True)
    assert (tmp_path / "99-zz-triagebook-vm.max_map_count.conf").read_text() == "vm.max_map_count = 65530\n"


def test_of_ratio_and_kbytes_the_one_in_force_is_put_back() -> None:
    planned = ACTIONS["sysctl"].plan_change({"key": "vm.overcommit_ratio", "value": 80}, "live", ["0\n450000\n"])
    assert planned.undo_as_shell() == ("sysctl -w vm.overcommit_kbytes=450000",)


@pytest.mark.parametrize(
    ("action", "params", "step", "output", "reason"),
    [
        ("unit_tasks_max", {"unit": "shop.service", "limit": 20}, "live", UNIT, "not_higher"),
        ("unit_tasks_max", {"unit": "docker-0.scope", "limit": 400}, "live", UNIT, "container_unit"),
        ("unit_memory_max", {"unit": "shop.service", "limit": 50331648}, "live", MEMORY, "not_higher"),
        ("unit_memory_max", {"unit": "shop.service", "limit": 60000000}, "live", MEMORY.replace("=419", "=619"), "below_use"),
        ("unit_memory_max", {"unit": "docker-0.scope", "limit": 99999999}, "live", MEMORY, "container_unit"),
        (
            "unit_memory_max",
            {"unit": "shop.service", "limit": 99999999},
            "live",
            MEMORY.replace("=active", "=failed"),
            "unit_not_active",
        ),
        (
            "unit_memory_max",
            {"unit": "shop.service", "limit": 99999999},
            "live",
            MEMORY.partition("memory.max")[0],
            "no_controller",
        ),
        (
            "unit_tasks_max",
            {"unit": "shop.service", "limit": 400},
            "live",
            UNIT.replace("=loaded", "=not-found"),
            "unit_not_loaded",
        ),
        ("unit_tasks_max", {"unit": "-x.service", "limit": 400}, "live", UNIT, "usage"),
        ("unit_tasks_max", {"unit": "a b.service", "limit": 400}, "live", UNIT, "usage"),
        ("unit_tasks_max", {"unit": "../x.service", "limit": 400}, "live", UNIT, "usage"),
        ("unit_tasks_max", {"unit": "x@.service", "limit": 400}, "live", UNIT, "usage"),
        ("unit_tasks_max", {"unit": "shop.service"}, "live", UNIT, "usage"),
        ("unit_tasks_max", {"unit": "shop.service", "limit": 400, "x": 1}, "live", UNIT, "usage"),
        ("unit_tasks_max", {"unit": "shop.service", "limit": True}, "live", UNIT, "usage"),
        ("unit_tasks_max", {"unit": "shop.service", "limit": "4e2"}, "live", UNIT, "usage"),
        ("unit_limit", {"unit": "shop.service", "resource": "nproc", "limit": 500}, "live", UNIT, "usage"),
        ("sysctl", {"key": "kernel.core_pattern", "value": 1}, "live", "1\n", "usage"),
        ("sysctl", {"key": "vm.max_map_count", "value": 60000}, "live", "65530\n", "not_higher"),
        ("sysctl", {"key": "vm.overcommit_ratio", "value": 101}, "live", "50\n0\n", "out_of_bounds"),
        ("sysctl", {"key": "vm.overcommit_memory", "value": 0}, "live", "0\n", "no_effect"),
        ("sysctl", {"key": "vm.overcommit_memory", "value": 2}, "live", "2\n", "out_of_bounds"),
        ("sysctl", {"key": "vm.max_map_count", "value": 262144}, "persist", "65530\n", "not_live"),
        ("user_nproc", {"user": "shop", "uid": 1001, "limit": 8}, "live", PROCESSES, "below_use"),
        ("user_nproc", {"user": "root", "uid": 0, "limit": 8}, "live", PROCESSES, "usage"),
        ("user_memlock", {"user": "shop", "uid": 1001, "limit": 65536}, "persist", PROCESSES, "not_higher"),
        ("user_memlock", {"user": "shop", "uid": 1002, "limit": 99999}, "persist", PROCESSES, "unknown_limit"),
        ("unit_limit", {"unit": "shop.service", "resource": "sigpending", "limit": 500}, "persist", UNIT, "unread"),
        ("process_limit", {"pid": 813, "resource": "memlock", "limit": 131072}, "live", PROCESSES, "unread"),
        ("process_signal", {"pid": 1, "signal": "TERM"}, "live", PROCESSES, "usage"),
        ("process_signal", {"pid": 99, "signal": "TERM"}, "live", PROCESSES, "process_gone"),
        ("process_signal", {"pid": 812, "signal": "STOP"}, "live", PROCESSES, "usage"),
        (
            "swap_file",
            {"path": "/triagebook.swap", "size_mib": 512},
            "live",
            DF.replace("ext4", "overlay"),
            "filesystem",
        ),
        ("swap_file", {"path": "/triagebook.swap", "size_mib": 720}, "live", DF, "disk_space"),
        ("swap_file", {"path": "/etc/passwd", "size_mib": 64}, "live", DF, "usage"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anybody_is_asked(
    action: str, params: Params, step: Step, output: str, reason: str
) -> None:
    with pytest.raises(UsageError) as caught:
        ACTIONS[action].plan_change(params, step, [output])
    assert caught.value.reason == reason


VALUES = {"unit": "shop.service", "user": "shop", "path": "/triagebook.swap", "pid": 812}  # by type
NUMBERS = {"uid": 1001, "limit": 400, "size_mib": 64, "value": 90}  # by name


def examples(action: Action) -> dict[str, st.SearchStrategy[str | int]]:
    """Parameters that an action takes, of this host."""
    return {
        name: st.sampled_from(kind.words) if kind.words else st.just(VALUES.get(kind.type) or NUMBERS.get(name, kind.minimum))
        for name, kind in action.parameters.items()
    }


# "²" is a digit to Python and no number, "٣" is a number to it and none to a kernel, and Python converts no 5,000 digits
NO_NUMBERS = ("²", "٣", "9" * 5000)


@pytest.mark.parametrize("digits", NO_NUMBERS, ids=["superscript", "arabic", "long"])
@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_a_figure_that_is_no_number_is_an_expected_failure(name: str, digits: str) -> None:
    params = {
        key: kind.words[0] if kind.words else VALUES.get(kind.type) or NUMBERS.get(key, kind.minimum)
        for key, kind in ACTIONS[name].parameters.items()
    }
    for step in ACTIONS[name].steps:
        for output in (digits, f"{digits} {digits}", *(re.sub(r"\d+", digits, text) for text in (UNIT, PROCESSES, DF))):
            try:
                planned = ACTIONS[name].plan_change(params, step, [output])
            except TriagebookError:
                continue
            assert digits not in repr(planned)


@given(st.sampled_from(sorted(ACTIONS)), st.text(max_size=300), st.data())
def test_no_output_of_a_host_raises_anything_but_an_expected_failure(name: str, output: str, data: st.DataObject) -> None:
    params = data.draw(st.fixed_dictionaries(examples(ACTIONS[name])))
    for step in ACTIONS[name].steps:
        for text in (output, UNIT + output, PROCESSES + output, DF + output):
            try:
                planned = ACTIONS[name].plan_change(params, step, [text])
            except TriagebookError:
                continue
            OrderedChange(name, tuple(planned.order.items()))


def test_what_may_be_read_of_kernel_values_is_what_may_be_changed() -> None:
    cases = re.findall(r"(?m)^ +((?:vm|fs|net)/[a-z0-9_/ |-]+)\) ;;$", readings.script())
    assert {path.replace("/", ".") for case in cases for path in case.split(" | ")} == set(KERNEL_VALUES)


def test_what_a_kernel_value_was_is_known_from_the_facts_that_have_it() -> None:
    names = {name for kind in facts_types().values() if is_dataclass(kind) for name in kind.__dataclass_fields__}
    assert {value.fact for value in KERNEL_VALUES.values()} - {""} <= names


@pytest.mark.parametrize("comm", ["a) b (c", "x\n1 (y) S 1", "x\nName:\ty", "(", ") Z 1 1"])
def test_a_process_cannot_name_itself_into_another(comm: str) -> None:
    honest = process.parse(PROCESSES)
    found = process.parse(PROCESSES.replace("813 (a) b (c)", f"813 ({comm})"))
    assert found in (honest, honest[:1])  # itself it may hide


def test_no_process_at_all_is_an_empty_answer_and_foreign_text_an_error() -> None:
    assert process.parse("") == ()
    with pytest.raises(ParseError):
        process.parse("cat: /proc/1/stat: No such file or directory\n")


def test_a_permanent_task_limit_does_not_read_as_no_change() -> None:
    planned = ACTIONS["unit_tasks_max"].plan_change({"unit": "shop.service", "limit": 20}, "persist", [UNIT])
    assert (planned.now, planned.then, planned.order["before"]) == ("20, until the next boot", "20", "20")


def test_the_processes_of_a_user_are_found_on_this_machine() -> None:
    reading = process.capture_user(str(os.getuid()))
    printed = subprocess.run(reading.argv, capture_output=True, text=True, check=True).stdout
    found = process.parse(printed)
    assert len(printed) / len(found) < CAP_BYTES / 2000  # so many of them fit
    assert [one.threads > 0 and one.uid == os.getuid() for one in found if one.pid == os.getpid()] == [True]
    assert {one.uid for one in found} == {os.getuid()}


def test_processes_that_came_or_ended_since_do_not_change_what_was_approved() -> None:
    params, step, output = next(case[1:4] for case in CASES if (case[0], case[2]) == ("user_nproc", "live"))
    action = ACTIONS["user_nproc"]
    approved = action.plan_change(params, step, [output])
    order = approved.order
    start = output.index("Name:\ta) b")
    first, second = output[:start], output[start:]
    came = first.replace("Pid:\t812\n", "Pid:\t900\n").replace(" 4242 ", " 9999 ")
    assert action.plan_change(params, step, [output + came], order) == approved
    assert action.plan_change(params, step, [second], order) == approved
    assert action.plan_change(params, step, [output.replace(" 60 ", " 70 ")], order) != approved
    with pytest.raises(UsageError, match="has ended"):
        action.plan_change(params, step, [came], order)
