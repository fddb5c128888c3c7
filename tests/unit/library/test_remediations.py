"""What a runbook may ask of the actions, and what `runbook lint` says of one that asks for something else."""

from pathlib import Path

import pytest
from triagebook.bot.cli.runbook import app
from triagebook.runbooks.library.catalog import load_text
from triagebook.runbooks.library.document import read_document
from triagebook.runbooks.library.remediations import misfits
from triagebook.tools.actions import ACTIONS
from typer.testing import CliRunner

from tests.runbooks import CATALOG

OWN = CATALOG
TEXT = (OWN.find("enomem@1.0.0").folder / "runbook.yaml").read_text()
SOURCE = "enomem/1.0.0/runbook.yaml"
RESTARTED = "      unit: {type: unit, default: it.unit}\n    requires: [user_nproc, address_space]\n"


def complaints(text: str) -> tuple[str, ...]:
    return misfits(load_text(text, SOURCE), read_document(text, SOURCE), ACTIONS)


def test_every_remediation_of_the_product_fits_its_action() -> None:
    for entry in OWN.entries():
        text = (entry.folder / "runbook.yaml").read_text()
        assert complaints(text) == (), entry.name


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("action: sysctl\n", "action: sysctrl\n", "].action: unknown action 'sysctrl' (did you mean 'sysctl'?)"),
        ("action: swap_file\n", "action: reboot\n", "].action: unknown action 'reboot' (one of: port_range, process_limit, "),
        ("      signal: {type: text, default: \"'KILL'\"}\n", "", "].params: process_signal needs the parameter 'signal'"),
        ("      resource: {type: text, default: \"'nproc'\"}", "      resource: {type: text, default: \"'nprocs'\"}", "].params.resource.default: resource: 'nprocs' is not possible (did you mean 'nproc'?)"),
        ("default: \"'vm.max_map_count'\"", "default: \"'vm.max_map_cont'\"", "].params.key.default: key: 'vm.max_map_cont' is not possible (did you mean 'vm.max_map_count'?)"),
        ("default: \"'TERM'\"", "default: \"'STOP'\"", "].params.signal.default: signal: 'STOP' is not possible (one of: KILL, TERM)"),
        ("default: \"'/triagebook.swap'\"", "default: \"'/etc/passwd'\"", "].params.path.default: path: '/etc/passwd' is not a path that an order may carry"),
        ("default: \"4194304\", min: kernel.pid_max + 1", "default: \"-1\", min: kernel.pid_max + 1", "].params.value.default: value: '-1' is not a whole number"),
        (RESTARTED, RESTARTED.replace("    requires", "      force: {type: text, default: \"'yes'\"}\n    requires"), "].params.force: unit_restart has no parameter 'force' (one of: unit)"),
        ("{id: raise_unit_address_space, when: it.resource == 'as' && it.unit.endsWith('.service'), with: {unit: it.unit}}", "{id: raise_unit_address_space, when: it.resource == 'as', with: {unit: it.unit, resource: \"'ass'\"}}", "].with.resource: resource: 'ass' is not possible (did you mean 'as'?)"),
        ("    undo: none\n    persist: never\n  - id: raise_max_map_count", "    undo: captured\n    persist: never\n  - id: raise_max_map_count", "].undo: 'captured', but unit_restart has undo: none"),
    ],
)  # fmt: skip
def test_what_its_action_would_not_accept_is_named_with_its_line(old: str, new: str, message: str) -> None:
    assert old in TEXT
    text = TEXT.replace(old, new, 1)
    (said,) = complaints(text)
    file, line, rest = said.split(":", 2)
    assert file == SOURCE
    assert message in rest
    key = rest.strip().split(":")[0].rpartition(".")[2]
    assert key in text.splitlines()[int(line) - 1]


def test_every_misfit_of_a_runbook_is_said_at_once() -> None:
    assert len(complaints(TEXT.replace("action: sysctl\n", "action: sysctrl\n"))) == TEXT.count("action: sysctl\n")


def test_lint_refuses_it_before_a_host_is_diagnosed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "books" / "my-enomem" / "1.0.0"
    folder.mkdir(parents=True)
    text = TEXT.replace("id: enomem\n", "id: my-enomem\n").replace("default: \"'nproc'\"", "default: \"'nprocs'\"")
    (folder / "runbook.yaml").write_text(text)
    (tmp_path / "triagebook").mkdir()
    (tmp_path / "triagebook" / "config.yaml").write_text(f"runbook_paths: [{tmp_path}/books]\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    ran = CliRunner().invoke(app, ["lint", "my-enomem"])
    line = next(number for number, written in enumerate(text.splitlines(), 1) if "nprocs" in written)
    assert ran.exit_code == 1
    wanted = f"my-enomem/1.0.0/runbook.yaml:{line}: remediations[3].params.resource.default: resource: 'nprocs' is not possible"
    assert f"{wanted} (did you mean 'nproc'?)\n" in ran.output
