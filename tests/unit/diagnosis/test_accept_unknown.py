"""What only root may read: said with its cure, and accepted by the configuration or the inventory for every face."""

from dataclasses import replace
from pathlib import Path

import pytest
from triagebook.runbooks.engine.conclude import conclude
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.library.cases import read_case
from triagebook.runbooks.probes.catalog import facts_types
from triagebook.tools.diagnosis import setup
from triagebook.tools.diagnosis.needs_root import with_cure
from triagebook.tools.diagnosis.question import Question, checks_to_accept
from triagebook.tools.inventory.inventory import read_inventory
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.settings import read_settings

from tests.runbooks import CATALOG

CASE = "replay:max-map-count-unreadable"
RUNBOOK = CATALOG.load("enomem")


def configured(folder: Path, text: str) -> dict[str, str]:
    file = folder / "triagebook" / "config.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}


def test_the_configuration_makes_an_unknown_check_a_caveat_for_every_face(tmp_path: Path) -> None:
    settings = read_settings(configured(tmp_path, "accept_unknown: [max_map_count]\n"))
    question = Question(parse_target(CASE), "enomem")
    before = setup.service(replace(settings, accept_unknown=())).diagnose(question).diagnosis
    after = setup.service(settings).diagnose(question).diagnosis
    assert (before.status, after.status) == ("inconclusive", "healthy")
    assert after.caveats == ("max_map_count could not be judged: permission denied",)
    assert before.headline.startswith("Healthy but for what only root may read here: max_map_count. ")


def test_an_inventory_accepts_for_a_host_and_for_all_hosts_of_a_group(tmp_path: Path) -> None:
    file = tmp_path / "inventory.yaml"
    file.write_text(
        "hosts:\n  db01: {ssh: admin@10.0.0.7, accept_unknown: [address_space]}\n  cache1:\n"
        "groups:\n  web: [web01]\n  shared: {hosts: [db01], groups: [web], accept_unknown: [max_map_count]}\n"
    )
    hosts = read_inventory(file).hosts
    accepted = {name: host.target.accept for name, host in hosts.items()}
    assert accepted == {"db01": ("address_space", "max_map_count"), "web01": ("max_map_count",), "cache1": ()}
    assert (hosts["db01"].ssh, hosts["db01"].sources) == ("admin@10.0.0.7", (str(file),))


def test_of_what_is_configured_another_runbooks_check_is_left_out_and_a_misspelt_one_refused() -> None:
    question = Question(replace(parse_target("web01"), accept=("address_space",)), "enomem", accepted=("pid_max",))
    assert checks_to_accept(RUNBOOK, question, ("open_files", "pid_max")) == ("pid_max", "address_space")
    with pytest.raises(UsageError, match=r"enomem@.* has no check 'max_map_cout' \(did you mean 'max_map_count'\?\)"):
        checks_to_accept(RUNBOOK, question, ("max_map_cout",))


@pytest.mark.parametrize(
    ("host", "as_root", "accept"),
    [
        ("localhost", "`sudo triagebook diagnose`", "`triagebook diagnose --accept-unknown max_map_count`"),
        ("ann@web01", "`triagebook diagnose root@web01`", "`triagebook diagnose ann@web01 --accept-unknown max_map_count`"),
    ],
)
def test_what_only_root_may_read_is_said_with_the_commands_that_judge_or_accept_it(host: str, as_root: str, accept: str) -> None:
    case = read_case(CATALOG.find("enomem"), CASE.partition(":")[2], facts_types(), RUNBOOK)
    found = with_cure(conclude(RUNBOOK, case.history, {}), Question(parse_target(host), "enomem"))
    assert as_root in "\n".join(found.next)
    assert accept in "\n".join(found.next)


def test_a_host_with_an_error_to_explain_is_not_called_healthy_but_for_anything() -> None:
    case = read_case(CATALOG.find("enomem"), CASE.partition(":")[2], facts_types(), RUNBOOK)
    question = Question(parse_target("web01"), "enomem", {"symptom": "Cannot allocate memory"})
    assert "Healthy" not in with_cure(conclude(RUNBOOK, case.history, question.inputs), question).headline
