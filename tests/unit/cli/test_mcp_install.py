"""`triagebook mcp install`: the client's file gets one entry, all else stays, and taking it out gives the same bytes again."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from ruamel.yaml import YAML
from triagebook.bot.cli.json_text import without_comments
from triagebook.bot.cli.mcp_client_file import add_entry, read, remove_entry
from triagebook.bot.cli.mcp_clients import CLIENTS, NAME
from triagebook.bot.cli.mcp_install import client_file
from triagebook.runbooks.engine.errors import UsageError

from tests.command import Triagebook

ENTRY = {"command": "/opt/bin/triagebook", "args": ["mcp"]}
SETTINGS = """\
// Zed settings
{
    /* a "{" in a comment */
    "theme": "One Dark", // { "context_servers": {} }
    "context_servers": {
        // mine
        "other": {"command": "x", "args": ["//not a comment", "}"],},
    },
}
"""
CONFIG = """\
# my own
model = "gpt-5"   # kept

[mcp_servers.other]
command = "x"
"""
GOOSE = """\
GOOSE_MODEL: x  # kept
extensions:
    developer:   # built in
        enabled: true
        type: builtin
other: [1, 2]
"""
FILES = {
    "json": [
        "",
        "{}",
        "{}\n",
        "{ }",
        '{"a": 1}',
        '{\n  "mcpServers": {}\n}\n',
        '{\n\t"mcpServers": {\n\t\t"o": {}\n\t}\n}',
        "\n{\n}\n",
    ],
    "toml": ["", CONFIG, CONFIG.rstrip("\n"), "a = 1"],
    "yaml": [
        "",
        "a: 1\n",
        "a: 1",
        GOOSE.replace("extensions", "mcpServers"),
        "mcpServers:\n- a\n",
        "mcpServers: {}\n",
        "# only a comment\n",
    ],
}


def squeezed(text: str) -> str:
    """The text without white space, and nothing where it holds only empty tables: whether they were there cannot be told."""
    found = re.sub(r'(,|(?<={))"mcpServers":{}(,?)', lambda match: match[1] and match[2], "".join(text.split()))
    return "" if found == "{}" else found


CASES = [(form, text) for form, texts in FILES.items() for text in texts]


@pytest.mark.parametrize(("form", "text"), CASES)
def test_an_entry_is_added_beside_what_is_there_and_taken_out_again(form: str, text: str) -> None:
    path = ("mcpServers", NAME)
    before = read(text, form)
    if isinstance(before.get("mcpServers"), list) or "mcpServers: {}" in text:
        with pytest.raises(UsageError, match="by hand"):
            add_entry(text, form, path, ENTRY)
        return
    after = add_entry(text, form, path, ENTRY)
    table: dict[str, Any] = before.get("mcpServers") or {}
    assert read(after, form) == {**before, "mcpServers": {**table, NAME: ENTRY}}
    undone = remove_entry(after, form, path)
    assert squeezed(undone) == squeezed(text)
    assert add_entry(after, form, path, ENTRY) == after


def test_comments_and_odd_commas_of_settings_stay() -> None:
    after = add_entry(SETTINGS, "json", ("context_servers", NAME), ENTRY)
    assert [line for line in SETTINGS.splitlines() if line not in after.splitlines()] == []
    assert json.loads(without_comments(after))["context_servers"].keys() == {"other", NAME}
    assert remove_entry(after, "json", ("context_servers", NAME)) == SETTINGS


def test_an_entry_that_differs_is_not_touched_and_one_that_was_edited_is_not_taken_out() -> None:
    text = add_entry(SETTINGS, "json", ("context_servers", NAME), ENTRY)
    with pytest.raises(UsageError, match=r"another context_servers\.triagebook"):
        add_entry(text, "json", ("context_servers", NAME), {**ENTRY, "args": []})
    with pytest.raises(UsageError, match="take it out by hand"):
        remove_entry(text.replace('"args": [', '"args":   ['), "json", ("context_servers", NAME))


@pytest.mark.parametrize(
    ("form", "text"), [("json", "[1]"), ("json", '{"a": '), ("json", '{"mcpServers": 3}'), ("toml", "a = "), ("yaml", "a: [")]
)
def test_a_file_that_cannot_be_read_is_refused_with_a_reason(form: str, text: str) -> None:
    with pytest.raises(UsageError) as refused:
        add_entry(text, form, ("mcpServers", NAME), ENTRY)
    assert refused.value.reason == "client_file"


VALUES = some.recursive(
    some.none() | some.booleans() | some.integers(-9, 9) | some.text(max_size=6),
    lambda inner: some.lists(inner, max_size=2) | some.dictionaries(some.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(
    some.dictionaries(some.sampled_from(["a", "mcpServers", "//", '"{']), VALUES, max_size=3), some.sampled_from([None, 1, 2, "\t"])
)
def test_any_json_object_keeps_its_members(found: dict[str, Any], indent: Any) -> None:
    text = json.dumps(found, indent=indent)
    try:
        after = add_entry(text, "json", ("mcpServers", NAME), ENTRY)
    except UsageError:
        assert not isinstance(found.get("mcpServers", {}), dict)
        return
    assert read(after, "json") == {**found, "mcpServers": {**found.get("mcpServers", {}), NAME: ENTRY}}
    assert squeezed(remove_entry(after, "json", ("mcpServers", NAME))) == squeezed(text)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_clean_home_gets_a_file_that_holds_the_entry_and_undo_leaves_none(name: str, tmp_path: Path) -> None:
    triagebook, client = Triagebook(tmp_path), CLIENTS[name]
    path = tmp_path / client.file
    shown = triagebook("mcp", "install", name)
    assert (shown.status, path.exists(), str(path) in shown.out) == (0, False, True), shown
    assert f"triagebook mcp install {name} --write" in shown.out
    assert triagebook("mcp", "install", name, "--write").status == 0
    (program,) = {str(value) for value in _strings(_loaded(path, client.form)) if value.endswith("triagebook")} - {NAME} or {NAME}
    found = _loaded(path, client.form)
    for part in client.under:
        found = found[part]
    assert found == {NAME: client.entry(program)}
    assert path.stat().st_mode & 0o777 == 0o600
    assert "nothing to do" in triagebook("mcp", "install", name, "--write").out
    assert triagebook("mcp", "install", name, "--undo", "--write").status == 0
    assert not path.exists()


def test_over_http_the_address_is_written_and_a_plain_one_is_refused(tmp_path: Path) -> None:
    triagebook = Triagebook(tmp_path)
    assert triagebook("mcp", "install", "cursor", "--url", "http://triage.example/mcp").status == 2
    assert triagebook("mcp", "install", "cursor", "--url", "http://127.0.0.1.triage.example/mcp").status == 2
    assert triagebook("mcp", "install", "cursor", "--url", "https://triage.example/mcp", "--write").status == 0
    assert json.loads((tmp_path / ".cursor/mcp.json").read_text()) == {"mcpServers": {NAME: {"url": "https://triage.example/mcp"}}}


def test_what_is_shown_hides_secrets_and_a_link_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.json"
    real.write_text('{\n  "mcpServers": {\n    "a": {"env": {"API_TOKEN": "hunter2hunter2"}}\n  }\n}\n')
    (tmp_path / ".cursor").mkdir()
    (tmp_path / ".cursor" / "mcp.json").symlink_to(real)
    done = Triagebook(tmp_path)("mcp", "install", "cursor", "--write")
    assert (done.status, "hunter2" in done.out) == (0, False), done.out
    assert (tmp_path / ".cursor" / "mcp.json").is_symlink()
    assert "hunter2hunter2" in real.read_text()
    assert NAME in json.loads(real.read_text())["mcpServers"]


def test_an_unknown_client_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    refused = Triagebook(tmp_path)("mcp", "install", "codexx")
    assert (refused.status, "did you mean 'codex'" in refused.err) == (2, True), refused.err


def test_a_moved_home_of_a_client_is_followed() -> None:
    home = {"HOME": "/home/ann"}
    assert client_file(CLIENTS["codex"], {**home, "CODEX_HOME": "/x"}, "linux") == Path("/x/config.toml")
    assert client_file(CLIENTS["zed"], {**home, "XDG_CONFIG_HOME": "/x"}, "linux") == Path("/x/zed/settings.json")
    assert client_file(CLIENTS["vscode"], home, "darwin") == Path("/home/ann/Library/Application Support/Code/User/mcp.json")
    assert client_file(CLIENTS["cursor"], home, "linux") == Path("/home/ann/.cursor/mcp.json")


def _loaded(path: Path, form: str) -> Any:
    text = path.read_text()
    return {"json": json.loads, "toml": tomllib.loads, "yaml": YAML(typ="safe", pure=True).load}[form](text)


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [found for inner in value.values() for found in _strings(inner)]
    if isinstance(value, list):
        return [found for inner in value for found in _strings(inner)]
    return [value] if isinstance(value, str) else []
