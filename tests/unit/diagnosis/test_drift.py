"""Drift: the majority and who differs, and that what could not be read is never called equal."""

from dataclasses import replace

from triagebook.bot.render.drift import render_drift
from triagebook.bot.render.style import Style
from triagebook.runbooks.engine.facts import Collection, Unreadable
from triagebook.runbooks.library.cases import read_case
from triagebook.runbooks.probes.catalog import facts_types
from triagebook.runbooks.probes.process_limits import ProcessLimits, ServiceLimit
from triagebook.runbooks.probes.settings_files import HostSettings, SettingsFile
from triagebook.tools.diagnosis.drift import DriftRow, HostLimits, compare, limits_of

from tests.runbooks import CATALOG

BOOK = CATALOG


def host(name: str, **values: object) -> HostLimits:
    return HostLimits(name, values, dict.fromkeys(values, ("ids", "/proc/x")))  # type: ignore[arg-type]


def test_the_outlier_stands_first_with_its_name() -> None:
    hosts = [host(f"web{number}", a=1, b=2) for number in range(4)]
    hosts.append(host("odd", a=1, b=3))
    first, second = compare(hosts)
    assert first == DriftRow("b", "ids", "/proc/x", 2, 4, {"3": ("odd",)}, {})
    assert second == DriftRow("a", "ids", "/proc/x", 1, 5, {}, {})


def test_the_rarer_difference_comes_first() -> None:
    hosts = [host(f"h{number}", split=number % 2 or number > 4, single=number == 3) for number in range(9)]
    assert [row.setting for row in compare(hosts)] == ["single", "split"]


def test_an_unreadable_value_is_unknown_and_not_equal() -> None:
    hosts = [host("a", x=1), host("b", x=1), host("c", x=Unreadable("permission denied"))]
    (row,) = compare(hosts)
    assert row.unknown == {"permission denied": ("c",)}
    assert row.usual_hosts == 2
    text = render_drift([row], 3, Style())
    assert "Equal on all" not in text
    assert "unknown (permission denied)  1: c" in text


def test_all_unreadable_has_no_majority_and_no_outlier() -> None:
    (row,) = compare([host("a", x=Unreadable("gone")), host("b", x=Unreadable("gone"))])
    assert (row.usual, row.outliers) == (None, 0)
    text = render_drift([row], 2, Style())
    assert text == "Unknown on some hosts, equal on the others:\n  x: known on none\n    unknown (gone)  2: a, b\n"


def test_without_a_majority_every_value_is_shown() -> None:
    (row,) = compare([host("a", x=1), host("b", x=2)])
    assert row.usual is None
    assert row.others == {"1": ("a",), "2": ("b",)}


def test_a_unit_that_one_host_does_not_print_is_unknown_there() -> None:
    rows = compare([host("a", unit=24), host("b", unit=24), host("c")])
    assert rows[0].unknown == {"not printed: far from its limit, or not there": ("c",)}


def test_threads_max_is_compared_by_what_it_is_made_of() -> None:
    facts = dict(read_case(BOOK.find("enomem"), "healthy", facts_types(), BOOK.load("enomem")).history[-1])
    by_kind = {"kernel_limits": facts["kernel"], "meminfo": facts["mem"], "host": facts["host"], "pids_cgroups": facts["pids"]}
    twice = {
        **by_kind,
        "meminfo": replace(facts["mem"], total_bytes=facts["mem"].total_bytes * 2),  # type: ignore[type-var,attr-defined]
        "kernel_limits": replace(facts["kernel"], threads_max=facts["kernel"].threads_max * 2),  # type: ignore[type-var,attr-defined]
    }
    tuned = {**by_kind, "kernel_limits": replace(facts["kernel"], threads_max=100)}  # type: ignore[type-var]
    rows = {row.setting: row for row in compare([limits_of("a", by_kind), limits_of("b", twice), limits_of("c", tuned)])}
    row = rows["kernel.threads-max per MiB of memory"]
    assert row.usual_hosts == 2
    assert list(row.others.values()) == [("c",)]
    assert rows["vm.max_map_count"].unknown == {"not collected": ("a", "b", "c")}


def test_a_kernel_name_and_a_mode_are_compared_as_they_are() -> None:
    rows = compare(
        [host("a", kernel="6.1", hidden=False), host("b", kernel="6.1", hidden=True), host("c", kernel="6.12", hidden=False)]
    )
    assert {row.setting: dict(row.others) for row in rows} == {"kernel": {"6.12": ("c",)}, "hidden": {"yes": ("b",)}}


def settings(*files: str, partial: str = "") -> HostSettings:
    return HostSettings(Collection(tuple(SettingsFile(path, "d" * 12) for path in files), partial), "1", "madvise")


def test_a_file_that_a_host_has_not_is_a_difference_and_one_that_it_may_have_is_unknown() -> None:
    path = "/etc/sysctl.d/50-tuning.conf"
    hosts = [limits_of(f"web{number}", {"settings_files": settings(path)}) for number in range(3)]
    hosts.append(limits_of("bare", {"settings_files": settings()}))
    hosts.append(limits_of("closed", {"settings_files": settings(partial="/etc/sysctl.d cannot be read")}))
    row = next(row for row in compare(hosts) if row.setting == f"digest of {path}")
    assert row.others == {"(not there)": ("bare",)}
    assert row.unknown == {"could not be read": ("closed",)}
    assert (row.usual_hosts, row.source) == (3, path)


def test_a_service_with_a_process_limit_of_its_own_is_an_outlier() -> None:
    plain, odd = ProcessLimits(Collection(()), "15432"), ProcessLimits(Collection((ServiceLimit("db.service", "64"),)), "15432")
    hosts = [limits_of(f"db{number}", {"process_limits": plain}) for number in range(3)]
    rows = {row.setting: row for row in compare([*hosts, limits_of("odd", {"process_limits": odd})])}
    assert rows["LimitNPROC of db.service"].others == {"64": ("odd",)}
    assert rows["LimitNPROC of most services"].usual_hosts == 4


def test_a_program_that_could_not_be_asked_leaves_its_settings_unknown() -> None:
    rows = {row.setting: row for row in compare([limits_of("a", {"settings_files": Unreadable("sh could not be run")})])}
    assert rows["kernel.dmesg_restrict"].unknown == {"sh could not be run": ("a",)}
