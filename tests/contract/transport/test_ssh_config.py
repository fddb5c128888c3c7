"""Our reading of ssh_config beside the real client's (`ssh -G`), over a table of configurations."""

import getpass
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.ssh.config import HostConfig, LocalAccount, look_up
from triagebook.tools.ssh.destination import Destination, parse_destination

CONFIGS = {
    "empty": "",
    "plain": "Host web\n  HostName web1.example\n  User ann\n  Port 2222\n",
    "first value wins": "Host web\n  User ann\nHost *\n  User bob\n  Port 77\n",
    "order matters": "Host *\n  User bob\nHost web\n  User ann\n",
    "patterns": "Host w?b !wab\n  User one\nHost *.example !db*\n  User two\nHost !web\n  User never\n",
    "equals and quotes": 'Host = web\n  User="ann"\n  IdentityFile = "/a path/key"\n  Port\t=\t2200\n',
    "case and comments": "# comment\nHOST web # not a pattern\n  uSeR ann # the user\n\n  PORT 99\n",
    "several files": "Host web\n  IdentityFile /k/one\n  IdentityFile /k/two\nHost *\n  IdentityFile /k/3\n  IdentityFile /k/one\n",
    "tokens": "Host web\n  HostName %h.example\n  IdentityFile /k/%h-%n-%p-%r-%u-%%\n  IdentityFile %d/key\n",
    "home": "Host web\n  IdentityFile ~/key\n  UserKnownHostsFile ~/kh1 ~/kh2\n",
    "environment": "Host web\n  IdentityFile ${TB_TEST_KEYS}/key\n  CertificateFile ${TB_TEST_KEYS}/c\n",
    "match host": "Host web\n  HostName real.example\nMatch host real.example\n  User ann\nMatch host web\n  User bob\n",
    "match originalhost": "Host web\n  HostName real\nMatch originalhost web\n  User ann\n",
    "match user": "Host web\n  User ann\nMatch user ann\n  Port 44\nMatch user bob\n  Port 45\n",
    "match localuser": f"Match localuser {getpass.getuser()}\n  Port 46\nMatch localuser nobody-else\n  User x\n",
    "match all": "Host web\n  Port 47\nMatch all\n  User ann\n",
    "match negated": "Match !host web\n  User ann\nMatch host web !user ann\n  User bob\n",
    "match two": "Match host web,db user ann\n  Port 48\nMatch host web,db\n  Port 49\n",
    "match final": "Match final host real\n  User final\nHost web\n  HostName real\n",
    "match final all": "Host web\n  HostName real\nMatch final all\n  Port 50\n",
    "match folds case": "Match host WEB\n  User ann\nMatch originalhost W?B\n  Port 51\nHost WEB\n  ConnectTimeout 3\n",
    "match user keeps case": "Host web\n  User Ann\nMatch user ann\n  Port 52\n",
    "match with equals": "Match host=web user=ann\n  Port 53\nMatch !host=web,Db*\n  User bob\nMatch host=web\n  User ann\n",
    "host name of the final pass": "Host web\n  HostName first\nMatch final\n  HostName second\n  Port 54\n",
    "host name of the final pass alone": "Match final\n  HostName second\n  Port 55\nMatch host second\n  User ann\n",
    "jump": "Host web\n  ProxyJump ann@hop:2222,two\n",
    "jump none": "Host web\n  ProxyJump none\nHost *\n  ProxyJump hop\n",
    "jump before command": "Host web\n  ProxyJump hop\nHost *\n  ProxyCommand nc %h %p\n",
    "command before jump": "Host web\n  ProxyCommand nc -x 'a b' %h %p\nHost *\n  ProxyJump hop\n",
    "command with hash": 'Host web\n  ProxyCommand sh -c "echo # %h" # not a comment\n',
    "alias": "Host web\n  HostKeyAlias other\n  ConnectTimeout 7\n  IdentitiesOnly yes\n",
    "timeout with units": "Host web\n  ConnectTimeout 1m30s\n",
    "agent": "Host web\n  IdentityAgent /run/agent-%h\n",
    "agent none": "Host web\n  IdentityAgent none\n",
    "identity none": "Host web\n  IdentityFile none\n",
    "global known hosts": "Host web\n  GlobalKnownHostsFile /a /b\n  UserKnownHostsFile none\n",
    "escapes": 'Host web\n  IdentityFile "/a\\"b"\n  User a\\\\b\n',
    "no block": "User ann\nPort 3000\nHost web\n  Port 1\n",
    "crlf": "Host web\r\n  User ann\r\n",
    "trailing blanks": "Host web   \n\tUser ann  \t \n",
    "comma is no separator": "Host web,db\n  User ann\n",
    "unknown keywords of ssh": "Host web\n  SendEnv LANG\n  Compression yes\n  User ann\n",
}
HOSTS = ("web", "wab", "db.example", "real")
pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh program here")


def of_ssh(file: Path, host: str, home: Path) -> dict[str, list[str]]:
    """What `ssh -G` prints, by keyword."""
    argv = ["ssh", "-F", str(file), "-G", "--", host]
    shown = subprocess.run(argv, check=True, capture_output=True, text=True, env={**os.environ, "TB_TEST_KEYS": "/tb/keys"}).stdout
    options: dict[str, list[str]] = {}
    for line in shown.splitlines():
        keyword, _blank, value = line.partition(" ")
        options.setdefault(keyword, []).append(value.replace("~/", f"{home}/"))
    return options


def hops(config: HostConfig) -> str:
    parts = []
    for hop in config.proxy_jump:
        user = f"{hop.user}@" if hop.user else ""
        parts.append(f"{user}{hop.host}" + (f":{hop.port}" if hop.port else ""))
    return ",".join(parts)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("host", HOSTS)
def test_the_configuration_says_what_ssh_reads_in_it(name: str, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TB_TEST_KEYS", "/tb/keys")
    file = tmp_path / "config"
    file.write_bytes(CONFIGS[name].encode())
    account = LocalAccount.own()
    theirs = of_ssh(file, host, account.home)
    ours = look_up(Destination(host), file, account)
    assert [ours.host] == theirs["hostname"]
    assert [ours.user] == theirs["user"]
    assert [str(ours.port)] == theirs["port"]
    assert [ours.identities_only] == [value == "yes" for value in theirs["identitiesonly"]]
    assert hops(ours) == theirs.get("proxyjump", [""])[0]
    assert ours.host_key_alias == theirs.get("hostkeyalias", [None])[0]
    assert str(int(ours.connect_timeout_s or 0) or "none") == theirs.get("connecttimeout", ["none"])[0]
    assert " ".join(map(str, ours.user_known_hosts_files)) == theirs["userknownhostsfile"][0].replace("none", "")
    assert " ".join(map(str, ours.global_known_hosts_files)) == theirs["globalknownhostsfile"][0]
    if not ours.has_default_identities:
        files = expanded(theirs.get("identityfile", []), theirs, host, account)
        assert [file for file in files if file != "none"] == [str(path) for path in ours.identity_files]
    command = theirs.get("proxycommand", [None])[0]
    assert ours.proxy_command == (command and expanded([command], theirs, host, account)[0])
    agent = theirs.get("identityagent", [None])[0]
    assert ours.identity_agent == (agent and expanded([agent], theirs, host, account)[0])


def expanded(values: list[str], theirs: dict[str, list[str]], host: str, account: LocalAccount) -> list[str]:
    """`ssh -G` prints most values before their tokens are replaced."""
    tokens = {"%h": theirs["hostname"][0], "%n": host, "%p": theirs["port"][0], "%r": theirs["user"][0], "%u": account.name}
    tokens |= {"%d": str(account.home), "${TB_TEST_KEYS}": "/tb/keys", "%%": "%"}
    for token, value in tokens.items():
        values = [one.replace(token, value) for one in values]
    return values


@pytest.mark.parametrize(
    "line", ["UserKnownHostsFile ~k\0/kh2", "Include ~\0/x", "IdentityFile ~a\0b", "HostName a\0b", "Host we\0b"]
)
def test_a_nul_character_is_a_mistake_with_its_line(line: str, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(f"Host web\n  {line}\n")
    with pytest.raises(UsageError, match=r"config:2: a NUL"):
        look_up(parse_destination("web"), file)


def test_includes_are_read_where_they_stand(tmp_path: Path) -> None:
    (tmp_path / "one.conf").write_text("Host web\n  User ann\nHost *\n  Port 5\n")
    (tmp_path / "two.conf").write_text("User bob\n")
    file = tmp_path / "config"
    file.write_text(
        f"Host db\n  Include {tmp_path}/two.conf\nHost *\n  Include {tmp_path}/o*.conf\n  Include {tmp_path}/none.conf\n"
    )
    for host in ("web", "db"):
        theirs, ours = of_ssh(file, host, Path.home()), look_up(Destination(host), file)
        assert ([ours.user], [str(ours.port)]) == (theirs["user"], theirs["port"])


def test_a_relative_include_is_of_the_users_folder(tmp_path: Path) -> None:
    (tmp_path / ".ssh" / "config.d").mkdir(parents=True)
    (tmp_path / ".ssh" / "config.d" / "a").write_text("Host web\n  User ann\n")
    (tmp_path / ".ssh" / "config").write_text("Include config.d/*\n")
    assert look_up(Destination("web"), None, LocalAccount("me", tmp_path)).user == "ann"


def test_an_include_of_itself_ends(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(f"Include {file}\n")
    with pytest.raises(UsageError, match="circle"):
        look_up(Destination("web"), file)


def test_match_exec_is_not_run_and_said(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(f'Match exec "touch {tmp_path}/ran"\n  User evil\nMatch !exec false\n  User evil\nMatch host web\n  User ann\n')
    config = look_up(Destination("web"), file)
    assert config.user == "ann"
    assert "--transport openssh" in config.notes[0]
    assert f"{file}:1" in config.notes[0]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Host web\n  Port many\n", "'many' is no port"),
        ("Host web\n  Port 70000\n", "is no port"),
        ("Host web\n  HostName $(id)\n", "is no host name"),
        ("Host web\n  HostName -oProxyCommand=id\n", "is no host name"),
        ("Host web\n  User a;id\n", "is no user name"),
        ("Host web\n  User\n", "user has no value"),
        ('Host web\n  User "ann\n', ":2: a quote is not closed"),
        ("Host web\n  ProxyJump -x\n", "is no host"),
        ("Host web\n  ProxyCommand nc %Z\n", "%Z"),
        ("Match host\n  User x\n", "needs a value"),
        ("Host web\n  ConnectTimeout soon\n", "is no time"),
    ],
)
def test_a_mistake_is_named(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        look_up(Destination("web"), file)
    assert message in str(caught.value)


def test_values_of_the_command_line_never_reach_a_shell_unchecked(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("Host *\n  ProxyCommand nc %h %p %r %n\n")
    for hostile in ("$(id)", "a;b", "a b", "`id`", "a|b", "a\nb", "-x", "a'b", 'a"b', "a&b"):
        with pytest.raises(UsageError):
            parse_destination(hostile)
        with pytest.raises(UsageError):
            parse_destination(f"{hostile}@web")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("web", Destination("web")),
        ("ann@web", Destination("web", "ann")),
        ("ann@web:22", Destination("web", "ann", 22)),
        ("ssh://ann@web:2222", Destination("web", "ann", 2222)),
        ("ssh://web/", Destination("web")),
        ("2001:db8::1", Destination("2001:db8::1")),
        ("ann@[2001:db8::1]:2222", Destination("2001:db8::1", "ann", 2222)),
        ("[fe80::1%eth0]", Destination("fe80::1%eth0")),
        ("ann@corp.example@web", Destination("web", "ann@corp.example")),
    ],
)
def test_a_host_is_written_as_ssh_has_it(text: str, target: Destination) -> None:
    assert parse_destination(text) == target
