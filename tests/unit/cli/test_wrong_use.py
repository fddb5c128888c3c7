"""What is said of a wrong use: the thing by its name, why it is wrong, and what to do; no words of a programmer in it."""

import sys
from pathlib import Path

import pytest
from triagebook.bot.cli.app import _run

from tests.command import Triagebook

TAKES = "give a file that `triagebook diagnose --save FILE` or `--json` wrote, or an id such as 20261130T040937-4730955b"
WHY = "needs --why TEXT: the reason, for the audit log"
HERE = ".config/triagebook"
NOTHING = "it names nothing; leave it out, or say what failed"
WRONG = {
    ("diagnose", "--unit", ""): f"Invalid value for '--unit': {NOTHING}",
    ("diagnose", "--symptom="): f"Invalid value for '--symptom': {NOTHING}",
    ("diagnose", "replay:healthy", "--user", ""): f"Invalid value for '--user': {NOTHING}",
    ("diagnose", "--pid", "0"): f"Invalid value for '--pid': {NOTHING}",
    ("diagnose", "--server"): "--server needs a host of the server's inventory; this machine is diagnosed without it",
    ("audit", "verify", "--key", "k"): "--key is for --export or --record; the server verifies its log with its own keys",
    ("serve", "--alerts-tls-cert", "x"): "--alerts-tls-cert needs --alerts: that part is not started",
    ("serve", "--slack-approvals", "C1"): "--slack-approvals needs --slack or --slack-http: that part is not started",
    ("serve", "--mcp", "127.0.0.1:0", "--alert-rules", "x"): "--alert-rules needs --alerts: that part is not started",
    ("mcp", "install", "cursor", "--url", "foo"): "--url 'foo': an address begins with https://",
    ("diagnose", "--pid", "abc"): "Invalid value for '--pid': 'abc' is not a valid whole number.",
    ("diagnose", "--timeout", "-1"): "Invalid value for '--timeout': -1.0 is not in the range 0 to 600.",
    ("watch", "--every", "x"): "Invalid value for '--every': 'x' is not a valid number.",
    ("watch", "--every", "0"): "Invalid value for '--every': 0.0 is not in the range at least 1.",
    ("show", "F-123"): f"F-123: there is no such file, and it is no id of an answer or a fix; {TAKES}",
    ("diff", "a", "b"): f"a: there is no such file, and it is no id of an answer or a fix; {TAKES}",
    ("show", "words.txt"): f"words.txt:1: not JSON from column 1 on; {TAKES}",
    ("show", "bytes"): f"bytes: it is no text; {TAKES}",
    ("audit", "verify", "--record", "words.txt", "--key", "k"): "words.txt: this is no incident record of triagebook: its data is "
    "neither JSON nor in a page that `triagebook record` wrote; make one with: triagebook record HOST > words.txt",
    (
        "audit",
        "verify",
        "--export",
        "words.txt",
        "--key",
        "k",
    ): "words.txt: this is not an export of the audit log (line 1: not JSON "
    "from column 1 on); make one with: triagebook audit export > words.txt",
    ("runbook", "explain", "banana"): "'banana' is no kind, check, remediation or action; kinds: triagebook runbook kinds; checks: "
    "triagebook runbook show RUNBOOK",
    ("policy", "check", "--file", "bytes"): "--file bytes: it is no text",
    ("lock", "break", "web01"): f"lock break {WHY}",
    ("host", "bind", "web01"): f"host bind {WHY}",
    ("watch", "--inventory", "nosuch.yaml", "@web"): "nosuch.yaml: No such file or directory; `inventory:` in config.yaml or "
    "--inventory names it",
    (
        "watch",
        "--inventory",
        "tabs.yaml",
        "@web",
    ): "tabs.yaml:2: (top): not YAML: found character '\\t' that cannot start any token; indent by spaces, not by tabs",
}


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_a_wrong_use_is_told_by_its_name_with_what_to_do(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "words.txt").write_text("root:x:0:0\n")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "tabs.yaml").write_text("hosts:\n\tweb01:\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("argv", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, ["triagebook", *words] if name == "argv" else getattr(sys, name))
    status = _run(None)
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].removeprefix("Error: ").removeprefix("triagebook: ") == WRONG[words]


def test_a_file_of_an_assistant_that_is_no_json_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('// mine\n{"servers":\n  x}\n')
    run = Triagebook(tmp_path)("mcp", "install", "cursor", "--file", "mcp.json")
    said = f"{tmp_path / 'mcp.json'}: it is not JSON at line 3; mend it, or name another file with --file"
    assert (run.status, run.err) == (2, f"triagebook: {said}\n")


def test_a_server_without_the_folder_of_its_socket_says_which_and_what_to_do(tmp_path: Path) -> None:
    run = Triagebook(tmp_path)("serve", "--data", "data", "--socket", "none/socket")
    assert run.status == 4
    cure = "make it for the account of the server, as its unit does, or name another path with --socket"
    assert run.err.splitlines()[-1] == f"triagebook: socket none/socket: there is no folder none; {cure}"
