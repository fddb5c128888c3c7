"""The laboratory's tables and parsers, without a machine."""

import io
from pathlib import Path

import pytest

from tests.lab import RELEASES, SCENARIOS, Scenario, cache, image, ramdisk, sources
from tests.lab.proofs import PROGRAMS, Fork, Login, Victim
from tests.lab.steps import BASELINE, Sysctl, Unit, restore_order

CAUSES = {
    "pids_cgroup", "user_nproc", "threads_max", "pid_max", "overcommit", "max_map_count", "address_space", "memory_shortage",
    "cgroup_memory", "dead_pid_namespace",
}  # fmt: skip
STATES = {"now", "at_limit", "near", "past", "trend"}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_a_scenario_names_only_causes_states_and_programs_that_exist(scenario: Scenario) -> None:
    assert {expected.cause for expected in scenario.expected} <= CAUSES
    assert {state for expected in scenario.expected for state in expected.active} <= STATES
    assert scenario.proofs
    victims = {proof.program for proof in scenario.proofs if isinstance(proof, Victim)}
    inside = {proof.inside for proof in scenario.proofs if isinstance(proof, Fork) and proof.inside}
    assert victims | inside | {scenario.program} - {""} <= set(image.FAULTS)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_a_scenario_starts_units_that_are_in_the_image_and_run_a_fault_program(scenario: Scenario) -> None:
    for step in scenario.steps:
        if isinstance(step, Unit):
            name, _, kind = step.name.partition(".")
            template = name.partition("@")[0] + "@" if "@" in name else name
            text = (cache.GUEST / "units" / f"{template}.{kind}").read_text()
            assert f"ExecStart={PROGRAMS}/{scenario.program or 'worker'} " in text
        if isinstance(step, Sysctl):
            assert step.name in BASELINE


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_who_can_log_in_agrees_with_the_logins_that_are_proven(scenario: Scenario) -> None:
    for proof in scenario.proofs:
        if isinstance(proof, Login) and proof.user in ("diag", "root"):
            assert proof.works == (scenario.diag_login if proof.user == "diag" else scenario.root_login)


def test_each_cause_of_the_runbook_has_a_scenario() -> None:
    seen = {expected.cause for scenario in SCENARIOS.values() for expected in scenario.expected}
    assert seen | {scenario.unseen_cause for scenario in SCENARIOS.values()} - {""} == CAUSES


def test_both_meanings_of_pids_events_are_among_the_releases() -> None:
    assert {release.pids_events for release in RELEASES.values()} == {"asker", "owner"}
    assert all(name == release.name for name, release in RELEASES.items())


def test_both_forms_of_package_sources_are_read_and_disabled_ones_are_not() -> None:
    one_line = "# deb http://no.example/ x main\ndeb [arch=amd64 signed-by=/k.gpg] http://a.example/debian stable main contrib\n"
    stanzas = (
        "Types: deb deb-src\n# a comment\nURIs: http://b.example/debian\nSuites: one two\nComponents: main\nSigned-By: /k.gpg\n"
        "\nTypes: deb\nEnabled: no\nURIs: http://c.example/\nSuites: three\nComponents: main\n"
    )
    assert list(sources.parse_list(one_line)) == [
        sources.Source("http://a.example/debian", "stable", ("main", "contrib"), "/k.gpg")
    ]
    assert [(source.suite, source.signed_by) for source in sources.parse_stanzas(stanzas)] == [
        ("one", "/k.gpg"),
        ("two", "/k.gpg"),
    ]


def test_the_ramdisk_is_an_archive_whose_parts_begin_at_multiples_of_four() -> None:
    archive = io.BytesIO(ramdisk.archive([("init", 0o100755, b"12345")]))
    header = archive.read(110)
    assert header[:6] == b"070701"
    assert int(header[54:62], 16) == 5
    assert archive.read(5) == b"init\0"
    archive.seek(-archive.tell() % 4, io.SEEK_CUR)
    assert archive.read(5) == b"12345"


@pytest.mark.parametrize(
    ("before", "order"),
    [
        ({"vm.overcommit_ratio": "50", "vm.overcommit_kbytes": "0", "vm.overcommit_memory": "0"}, "vm.overcommit_ratio"),
        ({"vm.overcommit_ratio": "0", "vm.overcommit_kbytes": "9", "vm.overcommit_memory": "0"}, "vm.overcommit_kbytes"),
    ],
)
def test_strict_overcommit_ends_first_and_only_the_setting_in_force_is_written_back(before: dict[str, str], order: str) -> None:
    assert restore_order(before) == ["vm.overcommit_memory", order]


def test_a_cache_entry_nobody_used_for_a_day_goes_and_a_younger_one_stays(tmp_path: Path) -> None:
    import os

    for name, age_s in (("image-a-1", 2 * 86400), ("image-a-2", 60), ("image-a-3", 0), ("image-b-1", 2 * 86400)):
        (tmp_path / name).mkdir()
        stamp = (tmp_path / name).stat().st_mtime - age_s
        os.utime(tmp_path / name, (stamp, stamp))
    cache.use(tmp_path / "image-a-3")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image-a-2", "image-a-3", "image-b-1"]
