"""What `deploy/` hands to administrators names options that exist and files that are there."""

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import jinja2
import pytest
import ruamel.yaml
from triagebook.tools.server.setup import ServerLayout

from tests.command import ROOT, Triagebook

UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
ROLE = ROOT / "deploy" / "ansible" / "roles" / "triagebook_host"
COMMAND = re.compile(r"^ExecStart=\S+/triagebook (\S+) (.*)$", re.MULTILINE)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_uses_options_that_the_command_has(unit: Path, tmp_path: Path) -> None:
    found = COMMAND.search(unit.read_text())
    assert found is not None
    shown = Triagebook(tmp_path)(found[1], "--help", COLUMNS="200").out
    options = [word for word in shlex.split(found[2]) if word.startswith("-")]
    assert options
    assert not [option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", shown)]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_a_unit_without_a_complaint(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_container_copies_what_is_there() -> None:
    text = (ROOT / "deploy" / "container" / "Containerfile").read_text()
    sources = [word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE) for word in line.split()]
    assert len(sources) > 5
    assert not [name for name in sources if not (ROOT / name).exists()]


def test_the_container_holds_every_extra_in_the_versions_that_the_tests_use() -> None:
    def pinned(file: str) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", (ROOT / file).read_text(), re.MULTILINE))

    held, core, tested = (
        pinned(name) for name in ("deploy/container/requirements.txt", "requirements.txt", "requirements-dev.txt")
    )
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = {re.split(r"[\[<>=]", line)[0].lower() for lines in extras.values() for line in lines}
    assert wanted <= held.keys()
    assert core.items() <= held.items()
    assert {name: version for name, version in held.items() if tested.get(name, version) != version} == {}


@pytest.mark.parametrize("words", [("serve", "--help"), ("mcp", "--help"), ("watch", "--help")])
def test_what_the_container_is_started_with_are_options(words: tuple[str, ...], tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "container" / "Containerfile").read_text()
    used = set(re.findall(r"(?<= )--[a-z-]+(?= )", text.partition("triagebook serve ")[2].partition("FROM")[0]))
    if words[0] == "serve":
        shown = Triagebook(tmp_path)(*words, COLUMNS="200").out
        assert not [option for option in used if option not in shown]
    else:
        assert Triagebook(tmp_path)(*words).status == 0


def test_the_role_for_fixes_runs_commands_that_are_there_with_variables_that_have_defaults(tmp_path: Path) -> None:
    role = ROOT / "deploy" / "ansible" / "roles" / "triagebook_fixes"
    text = "".join(file.read_text() for file in role.glob("*/main.yml"))
    defaults = ruamel.yaml.YAML(typ="safe").load((role / "defaults" / "main.yml").read_text())
    assert set(re.findall(r"triagebook_fixes_\w+", text)) - {"triagebook_fixes_found"} == set(defaults)
    shown = {word: Triagebook(tmp_path)("host", word, "--help", COLUMNS="200").out for word in ("check", "install")}
    assert not [option for option in ("--sudo", "--ssh-config") if option not in shown["check"]]
    assert not [option for option in re.findall(r"'(--[a-z-]+)'", text) if option not in shown["install"]]


def test_what_serve_init_writes_is_what_is_shipped() -> None:
    layout = ServerLayout()
    assert layout.text("triagebook.service") == (ROOT / "deploy" / "systemd" / "triagebook.service").read_text()


def test_the_role_writes_limits_as_sysctl_pam_and_systemd_read_them() -> None:
    values: dict[str, Any] = {
        "ansible_managed": "managed",
        "triagebook_host_sysctl": {"vm.max_map_count": 262144},
        "triagebook_host_nproc": [{"user": "@batch", "limit": 8192}],
    }
    units = {"worker.service": "[Service]", "acme.slice": "[Slice]"}
    assert _written("sysctl.conf.j2", values) == "# managed\nvm.max_map_count = 262144\n"
    assert _written("limits.conf.j2", values) == "# managed\n@batch - nproc 8192\n"
    for unit, section in units.items():
        item = {"unit": unit, "tasks_max": 4096}
        assert _written("tasks-max.conf.j2", {**values, "item": item}) == f"# managed\n{section}\nTasksMax=4096\n"


def test_every_variable_of_the_role_has_a_default() -> None:
    defaults = ruamel.yaml.YAML(typ="safe").load((ROLE / "defaults" / "main.yml").read_text())
    text = "".join(file.read_text() for file in (*ROLE.glob("tasks/*"), *ROLE.glob("templates/*")))
    used = set(re.findall(r"triagebook_host_\w+", text)) - {"triagebook_host_now"}
    assert used == set(defaults)


def _written(template: str, values: dict[str, Any]) -> str:
    """As Ansible renders: blocks leave no empty line behind, the last newline stays."""
    place = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701
    return place.from_string((ROLE / "templates" / template).read_text()).render(values)


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (("approve", "os:ben", "web01", "low", "ana"), "approver"),
        (("approve", "slack:T024BE7LD/U012A3CDE", "web01", "low", "ana"), "self_approval"),
        (("approve", "os:chris", "web01", "low", "ana"), "not_an_approver"),
        (("propose", "os:ana", "db01", "high", ""), "denied_by_rule"),
        (("propose", "os:stranger", "web01", "low", ""), "unmapped_account"),
        (("diagnose", "os:stranger", "web01", "", ""), "allowed"),
    ],
)
def test_the_policy_to_start_from_decides_as_it_says(question: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    action, account, host, risk, requester = question
    words = ("--file", str(ROOT / "deploy" / "policy.yaml"), "--action", action, "--account", account, "--host", host, "--json")
    words += (*(("--risk", risk) if risk else ()), *(("--requester", requester) if requester else ()))
    (answer,) = Triagebook(tmp_path)("policy", "check", *words).json()
    assert answer["reason"] == reason
