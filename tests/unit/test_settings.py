import re
from pathlib import Path

import pytest
from triagebook.bot.cli.app import FAULT
from triagebook.bot.cli.diagnose import EXIT_STATUS
from triagebook.bot.cli.output import BROKEN_PIPE, UNWRITABLE
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.collector.collect import sample_timeouts_for
from triagebook.tools.diagnosis import setup
from triagebook.tools.diagnosis.fleet import fleet
from triagebook.tools.settings import KEYS, Settings, read_settings
from triagebook.tools.transport.base import timeouts_for

from tests.command import ROOT


def settings_of(folder: Path, text: str) -> dict[str, str]:
    (folder / "triagebook").mkdir()
    (folder / "triagebook" / "config.yaml").write_text(text)
    return {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}


def test_every_key_is_read(tmp_path: Path) -> None:
    text = "runbook_paths: [/srv/books]\ndefault_runbook: enomem\nssh_config: ~/c\ninventory: [a.yaml]\nslack: {storm: 3}\n"
    read = read_settings(settings_of(tmp_path, text))
    assert (read.runbook_paths, read.default_runbook, read.ssh_config) == ((Path("/srv/books"),), "enomem", "~/c")
    assert (read.inventory, read.slack) == ((str(tmp_path / "triagebook" / "a.yaml"),), {"storm": 3})


def test_a_key_without_a_value_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    read = read_settings(settings_of(tmp_path, "runbook_paths:\ndefault_runbook:\ninventory:\nslack:\n"))
    assert (read.runbook_paths, read.default_runbook, read.inventory, read.slack) == ((), "", ("ssh_config",), {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a\n", ":1: (top): expected the keys runbook_paths, default_runbook, ssh_config, inventory, slack"),
        ("slack: {}\ndefault_runbok: a\n", ":2: default_runbok: unknown key (did you mean 'default_runbook'?)"),
        ("runbook_paths: /srv\n", ":1: runbook_paths: expected a list of folders"),
        ("inventory:\n  - a\n  - 7\n", ":3: inventory[1]: expected text, got 7"),
        ("default_runbook: [a]\n", ":1: default_runbook: expected text, got ['a']"),
        ("slack: [a]\n", ":1: slack: expected a mapping"),
        ("a: b: c\n", ":1: (top): not YAML"),
    ],
)
def test_a_wrong_configuration_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_settings(settings_of(tmp_path, text))
    assert says in str(refused.value)


def test_a_configuration_that_is_no_text_is_refused_by_its_name(tmp_path: Path) -> None:
    environment = settings_of(tmp_path, "")
    (tmp_path / "triagebook" / "config.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"config\.yaml: .*utf-8"):
        read_settings(environment)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n\n# none\n"])
def test_a_configuration_that_says_nothing_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    blank = read_settings(settings_of(tmp_path, text))
    (tmp_path / "triagebook" / "config.yaml").unlink()
    assert blank == read_settings({"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)})


def test_a_folder_of_runbooks_is_relative_to_the_file_and_must_be_there(tmp_path: Path) -> None:
    read = read_settings(settings_of(tmp_path, "runbook_paths: [./mine]\n"))
    assert read.runbook_paths == (tmp_path / "triagebook" / "mine",)
    with pytest.raises(UsageError, match=r"runbook_paths in config.yaml: no folder .*/triagebook/mine "):
        setup.runbooks(read)
    (tmp_path / "triagebook" / "mine").mkdir()
    setup.runbooks(read)


def test_a_folder_in_the_place_of_the_configuration_is_said(tmp_path: Path) -> None:
    (tmp_path / "triagebook" / "config.yaml").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"config.yaml: Is a directory"):
        read_settings({"XDG_CONFIG_HOME": str(tmp_path)})


@pytest.mark.parametrize("value", ["0", "601", "soon", "true", "[30]"])
def test_a_timeout_that_is_no_time_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError, match=r"config.yaml:1: timeout: expected seconds from 1 to 600, got "):
        read_settings(settings_of(tmp_path, f"timeout: {value}\n"))


@pytest.mark.parametrize(
    ("silent_s", "phases", "total_s", "sample_s", "host_s"),
    [(0, (8, 8, 10, 15, 20, 20), 60, 20, 90), (3, (3, 3, 3, 3, 3, 3), 3, 20, 8), (30, (30,) * 6, 90, 30, 120)],
)
def test_for_how_long_a_host_may_be_silent_holds_for_each_phase(
    silent_s: float, phases: tuple[float, ...], total_s: float, sample_s: float, host_s: float
) -> None:
    made = timeouts_for(silent_s)
    assert (made.connect_s, made.banner_s, made.kex_s, made.auth_s, made.exec_s, made.first_byte_s) == phases
    assert (made.total_s, made.session_s) == (total_s, None)
    assert sample_timeouts_for(silent_s).first_sample_s == sample_timeouts_for(silent_s).sample_s == sample_s
    service = setup.service(Settings(timeout_s=silent_s))
    assert fleet(service, "enomem")._bounds.host_s == host_s


def test_every_key_and_every_exit_status_is_in_the_page_about_them() -> None:
    page = (ROOT / "docs" / "how-to" / "configure.md").read_text()
    statuses = (ROOT / "docs" / "reference" / "exit-statuses.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|.*\|.*\|$", page, re.MULTILINE)[: len(KEYS)] == [
        *KEYS[:4],
        "accept_unknown",
        "slack",
        "triage",
        "sites",
        "timeout",
    ]
    told = {int(number) for row in re.findall(r"^\| ([\d, ]+) \|", statuses, re.MULTILINE) for number in row.split(", ")}
    assert {*EXIT_STATUS.values(), FAULT, UNWRITABLE, BROKEN_PIPE} - told == set()
