import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError, UsageError
from triagebook.tools.server.client import ask
from triagebook.tools.server.keys import open_keys
from triagebook.tools.server.peer import actor_of

from tests.hang import GUARD_S
from tests.system.fixes import policies

from .server import Server, Starter

ME = pwd.getpwuid(os.geteuid()).pw_name
PROPOSAL = {"host": "web-01", "remediation": "raise_tasks_max", "parameters": {"limit": 200}}


def started(starter: Starter, steps: tuple[str, ...] = (), **asked: object) -> Server:
    """A server whose policy knows this account as ann."""
    policy = starter.directory / "policy.yaml"
    policy.write_text(policies.TEXT.replace("{os: ann}", f"{{os: {ME}}}"))
    policy.chmod(0o644)
    (starter.directory / "effects").mkdir(exist_ok=True)
    return starter.start(policy=str(policy), effects=str(starter.directory / "effects"), steps=steps, **asked)


@pytest.fixture
def server(starter: Starter) -> Server:
    """A server of this test's own: it is stopped, spoiled or asked for an empty list."""
    return started(starter)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests that look at their own fix only, or at nothing."""
    starter = Starter(tmp_path_factory.mktemp("shared"))
    yield started(starter)
    starter.end()


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a server with one fix leaves behind: copied before it is spoiled."""
    starter = Starter(tmp_path_factory.mktemp("stopped"))
    started(starter).ask("propose", **PROPOSAL)
    starter.end()
    return starter.directory


def test_the_peer_of_the_socket_is_the_actor(shared: Server) -> None:
    plan = shared.ask("propose", **PROPOSAL)["plan"]
    assert (plan["requester"], plan["requester_account"]) == ("ann", f"os:{ME}")


@pytest.mark.parametrize(
    "trick", [{"as": "bob"}, {"actor": "bob"}, {"account": "os:bob"}, {"person": "bob"}, {"user": "bob", "approved": True}]
)
def test_a_request_cannot_say_who_asks(shared: Server, trick: dict[str, object]) -> None:
    fix = shared.ask("propose", **PROPOSAL)
    with pytest.raises(UsageError, match="unknown member"):
        shared.ask("approve", fix=fix["id"], digest=fix["digest"], **trick)
    assert shared.ask("show", fix=fix["id"])["state"] == "proposed"


def test_forged_variables_change_nothing(shared: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    fix = shared.ask("propose", **PROPOSAL)
    for variable in ("USER", "LOGNAME", "SUDO_USER", "SUDO_UID", "TRIAGEBOOK_USER"):
        monkeypatch.setenv(variable, "bob")
    with pytest.raises(RefusedError) as refused:
        shared.ask("approve", fix=fix["id"], digest=fix["digest"])
    assert refused.value.reason == "self_approval"


def test_an_assistant_s_channel_on_the_same_account_cannot_decide(shared: Server) -> None:
    fix = shared.ask("propose", channel="mcp", **PROPOSAL)
    for do in ("approve", "deny"):
        with pytest.raises(RefusedError) as refused:
            shared.ask(do, channel="mcp", fix=fix["id"], digest=fix["digest"])
        assert refused.value.reason == "mcp_cannot_approve"
    with pytest.raises(RefusedError) as refused:
        shared.ask("propose", channel="mcp", **{**PROPOSAL, "host": "localhost"})
    assert refused.value.reason == "host_name"


def test_a_user_id_without_a_name_is_nobody_s_account() -> None:
    assert str(actor_of(3_999_999_999).account) == "os:#3999999999"
    assert str(actor_of(65534).account) == "os:#65534"


def test_secrets_are_for_the_server_s_account_alone(shared: Server) -> None:
    assert shared.said == "ready"
    data = shared.socket.parent / "data"
    modes = {path.name: oct(stat.S_IMODE(path.lstat().st_mode)) for path in data.rglob("*")}
    assert modes.pop("keys") == "0o700"
    assert set(modes.values()) == {"0o600"}, modes
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE(shared.socket.stat().st_mode) == 0o666


def test_it_stops_cleanly_and_goes_on_where_it_was(server: Server, starter: Starter) -> None:
    fix = server.ask("propose", **PROPOSAL)
    assert server.stop() == 0
    assert not server.socket.exists()
    again = starter.start(policy=str(starter.directory / "policy.yaml"))
    assert again.ask("show", fix=fix["id"])["digest"] == fix["digest"]


def test_a_clean_stop_lets_an_execution_end(starter: Starter) -> None:
    server = started(starter, ("execute.before_effect",), patience_s=GUARD_S)
    fix = server.ask("propose", **PROPOSAL)
    server.ask("approve", fix=fix["id"], digest=fix["digest"], break_glass="test")
    states: list[str] = []
    apply = threading.Thread(target=lambda: states.append(server.ask("apply", fix=fix["id"])["state"]))
    apply.start()
    server.await_step()
    server.process.send_signal(signal.SIGTERM)
    os.write(server.answers, b".")
    apply.join(GUARD_S)
    assert (states, server.wait()) == (["validated"], 0)  # a second signal would meet an interpreter that is ending


def _lax_data(directory: Path) -> None:
    (directory / "data").chmod(0o750)


def _lax_key(directory: Path) -> None:
    (directory / "data" / "keys" / "orders.key").chmod(0o640)


def _lax_database(directory: Path) -> None:
    (directory / "data" / "triagebook.db").chmod(0o644)


def _linked_key(directory: Path) -> None:
    key = directory / "data" / "keys" / "audit.key"
    key.rename(directory / "elsewhere")
    key.symlink_to(directory / "elsewhere")


def _writable_policy(directory: Path) -> None:
    (directory / "policy.yaml").chmod(0o664)


def _wrong_policy(directory: Path) -> None:
    policy = directory / "policy.yaml"
    policy.write_text(policy.read_text().replace("deny: [propose]", "deny: [propse]"))


def _cut_anchor(directory: Path) -> None:
    (directory / "data" / "checkpoints.jsonl").write_text("")


def _other_key(directory: Path) -> None:
    other = open_keys(directory / "other")
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "data" / "keys" / "audit.key").write_bytes(other.audit.private_bytes(*form))


def _lost_key(directory: Path) -> None:
    (directory / "data" / "keys" / "audit.key").unlink()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_lax_data, "refused lax_mode: {0}/data: mode 0750 lets others in; chmod 0700 {0}/data"),
        (_lax_key, "refused lax_mode: {0}/data/keys/orders.key: mode 0640 lets others in"),
        (_lax_database, "refused lax_mode: {0}/data/triagebook.db: mode 0644 lets others in"),
        (_linked_key, "refused lax_mode: {0}/data/keys/audit.key: Too many levels of symbolic links"),
        (_writable_policy, "refused policy: {0}/policy.yaml: others can write it"),
        (_wrong_policy, "refused policy: {0}/policy.yaml:16: rules[0].deny[0]: unknown word 'propse' (did you mean 'propose'?)"),
        (_cut_anchor, "refused audit_broken: audit log: the database has checkpoints, but no anchor has any"),
        (_other_key, "refused audit_broken: audit log: checkpoint: not signed by"),
        (_lost_key, "refused key: {0}/data/keys/audit.key: the audit key is missing"),
    ],
)
def test_it_does_not_start_on_what_cannot_be_trusted(stopped: Path, starter: Starter, spoil: object, says: str) -> None:
    shutil.copytree(stopped, starter.directory, dirs_exist_ok=True)
    spoil(starter.directory)  # type: ignore[operator]
    assert starter.start(policy=str(starter.directory / "policy.yaml")).said.startswith(says.format(starter.directory))


def test_one_server_a_data_directory_and_one_a_socket(server: Server, starter: Starter) -> None:
    assert "another server uses it" in starter.start().said
    (starter.directory / "other").mkdir(0o700)
    os.link(server.socket, starter.directory / "other.sock")
    assert "another server answers there" in starter.start(name="other").said
    assert server.ask("list") == []


def test_the_socket_of_a_killed_server_is_replaced(server: Server, starter: Starter) -> None:
    server.kill()
    assert server.socket.exists()
    assert starter.start().said == "ready"


def test_a_file_in_the_socket_s_place_is_not_removed(starter: Starter) -> None:
    (starter.directory / "data.sock").write_text("mine")
    assert "something else is there" in starter.start().said
    assert (starter.directory / "data.sock").read_text() == "mine"


def test_without_a_policy_nothing_can_be_changed(starter: Starter) -> None:
    server = starter.start()
    with pytest.raises(RefusedError) as refused:
        server.ask("propose", **PROPOSAL)
    assert refused.value.reason == "no_policy"


def test_without_an_executor_the_commands_are_answered(starter: Starter) -> None:
    policy = starter.directory / "policy.yaml"
    policy.write_text(policies.TEXT.replace("{os: ann}", f"{{os: {ME}}}"))
    server = starter.start(policy=str(policy))
    fix = server.ask("propose", **PROPOSAL)
    server.ask("approve", fix=fix["id"], digest=fix["digest"], break_glass="test")
    with pytest.raises(RefusedError, match="TasksMax=200") as refused:
        server.ask("apply", fix=fix["id"])
    assert refused.value.reason == "cannot_apply"


@pytest.mark.parametrize(
    "line",
    [
        b"x" * 70_000 + b"\n",
        b"\n",
        b"[]\n",
        b"{}\n",
        b'{"do": "become_root"}\n',
        b'{"do": "show", "fix": 1}\n',
        b'{"do": "show", "fix": "a", "fix": "b"}\n',
        b'{"do": "show", "fix": "' + b"a" * 3000 + b'"}\n',
        b'{"do": "propose", "host": "web-01", "remediation": "r", "parameters": {"limit": 1.5}}\n',
        b'{"do": "propose", "host": "web-01", "remediation": "r", "parameters": {"limit": true}}\n',
        b'{"do": "audit_list", "limit": -1}\n',
        b'{"do": "audit_list", "limit": NaN}\n',
        b'{"do": "list", "channel": "root"}\n',
        b"[" * 60_000 + b"\n",
        b"\xff\xfe\n",
    ],
)
def test_a_malformed_request_is_answered_and_the_server_lives(shared: Server, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(GUARD_S)
        connection.connect(str(shared.socket))
        with contextlib.suppress(BrokenPipeError):  # it may have answered, and hung up, before it was sent all of it
            connection.sendall(line)
        answer = json.loads(connection.makefile("rb").readline())
    assert (answer["ok"], answer["error"]["reason"]) == (False, "request")
    assert shared.ask("locks") == []


def admitted(path: Path) -> socket.socket:
    """A connection that counts: whatever was asked before over others may not have been forgotten yet."""
    while True:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(GUARD_S)
        connection.connect(str(path))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(b'{"do": "locks"}\n')
            if b'"ok":true' in connection.recv(65536).replace(b" ", b""):
                return connection
        connection.close()


def test_a_user_who_keeps_many_connections_is_told_to_wait_and_the_rest_go_on(shared: Server) -> None:
    held, waited = [admitted(shared.socket) for _ in range(8)], list[float]()
    with pytest.raises(TriagebookError) as refused:
        ask(shared.socket, {"do": "list"}, pause=waited.append)
    assert (refused.value.reason, len(waited)) == ("busy", 10)
    for connection in held:
        connection.close()
    assert shared.ask("locks") == []


def test_several_requests_on_one_connection_are_answered_in_order(shared: Server) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(GUARD_S)
        connection.connect(str(shared.socket))
        connection.sendall(b'{"do": "list"}\n{"do": "locks"}\n{"do": "nothing"}\n')
        answers = connection.makefile("rb")
        assert [json.loads(answers.readline())["ok"] for _ in range(3)] == [True, True, False]
