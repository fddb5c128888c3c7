"""How a watch that was given its end ends, and what it says of a host that nobody knows."""

from pathlib import Path

import pytest

from tests.command import Triagebook

RESOLVE = (
    "UNREACHABLE: The host gave no session (resolve: nosuch.invalid: cannot resolve the host name: Name or service not known)."
)


@pytest.fixture
def triagebook(tmp_path: Path) -> Triagebook:
    folder = tmp_path / ".config" / "triagebook"
    folder.mkdir(parents=True)
    text = "hosts:\n  web01: {ssh: '127.0.0.1:1'}\n  localhost: {}\ngroups:\n  web: [localhost, nosuch.invalid]\n"
    (folder / "inventory.yaml").write_text(text)
    return Triagebook(tmp_path)


def test_a_host_that_nobody_knows_is_a_failure_and_says_why(triagebook: Triagebook) -> None:
    run = triagebook("watch", "nosuch.invalid", "--samples", "1")
    assert run.status == 4
    assert run.out.endswith(f"nosuch.invalid  {RESOLVE}\n")


def test_a_mistyped_host_is_answered_with_the_nearest(triagebook: Triagebook) -> None:
    run = triagebook("watch", "web02.invalid", "--samples", "1")
    assert (run.status, run.err) == (4, "")
    run = triagebook("watch", "web0", "--samples", "1")
    assert (run.status, run.err) == (
        4,
        "triagebook: web0 has no address, and the inventory does not have it (did you mean 'web01'?)\n",
    )


def test_one_host_without_a_session_is_a_failure_of_the_watch(triagebook: Triagebook) -> None:
    run = triagebook("watch", "@web", "--samples", "1")
    assert run.status == 4
    assert RESOLVE in run.out
    assert "localhost  " in run.out
    assert "group 'web' names 'nosuch.invalid', which `hosts` does not" in run.err
    refused = triagebook("watch", "web01", "--samples", "1")
    assert (refused.status, "Connection refused" in refused.out) == (4, True)


def test_a_host_that_is_tried_again_has_the_time_said(triagebook: Triagebook) -> None:
    run = triagebook("watch", "nosuch.invalid", "--samples", "2")
    assert (run.status, run.out.endswith(f"{RESOLVE} Next try in 1 s.\n")) == (4, True)


def test_this_machine_is_read_by_itself_though_an_inventory_lists_it(triagebook: Triagebook) -> None:
    run = triagebook("watch", "localhost", "--samples", "1", "--json")
    assert (run.status, run.json()[0]["login"]["phase"]) == (0, "")
    answer = triagebook("diagnose", "-r", "enomem", "--json")
    assert answer.json()[0]["target"]["transport"] == "local"


def test_a_recorded_case_is_not_watched(triagebook: Triagebook) -> None:
    run = triagebook("watch", "localhost", "replay:healthy")
    says = "replay:healthy: a recorded case does not change, so there is nothing to watch: triagebook diagnose replay:healthy"
    assert (run.status, run.err) == (2, f"triagebook: {says}\n")


def test_more_hosts_than_one_watch_takes_are_counted(triagebook: Triagebook) -> None:
    run = triagebook("watch", *(f"web{number}" for number in range(201)))
    says = "one watch takes at most 200 hosts, and these are 201: start several, of a group each"
    assert (run.status, run.err) == (2, f"triagebook: {says}\n")
