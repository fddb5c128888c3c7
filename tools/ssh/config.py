"""What the user's ssh_config says of one host (ssh_config(5)), as far as a connection of ours needs it.

The first value found for a keyword wins. `StrictHostKeyChecking` is read and never obeyed: it is always strict here.
`Match exec` is not run, because a diagnosis should not start programs by its own reading of a file; the `openssh`
transport is for it.
"""

import os
import pwd
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.ssh.config_file import ConfigOptions, MatchContext, read_options
from triagebook.tools.ssh.destination import HOST, USER, Destination, parse_destination, parse_port

SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")
DEFAULT_KEY_NAMES = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk")


@dataclass(frozen=True)
class HostConfig:
    """How to reach one host. `alias` is the name as written, `host` and `port` where to connect."""

    alias: str
    host: str
    port: int
    user: str
    identity_files: tuple[Path, ...]
    has_default_identities: bool
    identities_only: bool
    identity_agent: str | None  # a socket's path, "none", or None for SSH_AUTH_SOCK
    certificate_files: tuple[Path, ...]
    proxy_jump: tuple[Destination, ...]
    proxy_command: str | None
    user_known_hosts_files: tuple[Path, ...]
    global_known_hosts_files: tuple[Path, ...]
    host_key_alias: str | None
    connect_timeout_s: float | None
    notes: tuple[str, ...] = ()

    @property
    def known_hosts_files(self) -> tuple[Path, ...]:
        return self.user_known_hosts_files + self.global_known_hosts_files

    def via(self, jumps: tuple["Destination", ...]) -> "HostConfig":
        """The same host, reached over the jumps of a chain."""
        return replace(self, proxy_jump=jumps, proxy_command=None)


@dataclass(frozen=True)
class LocalAccount:
    """The local user, of whom the tokens %u and %d and the default files speak."""

    name: str
    home: Path

    @classmethod
    def own(cls) -> "LocalAccount":
        """Raises UsageError where this process's user has no name, as in some containers."""
        return _account_of(os.getuid())


@lru_cache(maxsize=1)
def _account_of(uid: int) -> LocalAccount:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise UsageError(f"user id {uid} has no entry in /etc/passwd, so it has no ssh_config") from None
    return LocalAccount(entry.pw_name, Path(entry.pw_dir))


def look_up(destination: Destination, file: Path | None = None, account: LocalAccount | None = None) -> HostConfig:
    """What the configuration says of `destination`: of `file` (as `ssh -F`), else of the user's and the system's file.

    Raises:
        UsageError: a file cannot be read or has a mistake, or it says what cannot be done here.
    """
    account = account or LocalAccount.own()
    files = [(file, True)] if file else [(account.home / ".ssh" / "config", False), (SYSTEM_CONFIG, False)]
    context = MatchContext(destination.host, destination.user, account.name, account.home)
    return _resolve(destination, read_options(context, files), account)


def _resolve(destination: Destination, options: ConfigOptions, account: LocalAccount) -> HostConfig:
    host = _safe_host(_expand(options.one("hostname") or "%h", {"h": destination.host, "n": destination.host}), "HostName")
    port = destination.port or parse_port(options.one("port") or "22", "Port")
    user = destination.user or options.one("user") or account.name
    if not USER.fullmatch(user):
        raise UsageError(f"{user!r} is no user name")
    tokens = {"h": host, "p": str(port), "r": user, "n": destination.host, "u": account.name, "d": str(account.home)}
    tokens["i"], tokens["k"] = str(os.getuid()), options.one("hostkeyalias") or destination.host

    def paths(values: Sequence[str]) -> tuple[Path, ...]:
        return tuple(_path(value, tokens, account) for value in values if value.lower() != "none")

    jump, command = _proxy(options, tokens)
    identity_agent = options.one("identityagent")
    named = options.all("identityfile")
    return HostConfig(
        alias=destination.host,
        host=host,
        port=port,
        user=user,
        identity_files=paths(named) if named else tuple(account.home / ".ssh" / name for name in DEFAULT_KEY_NAMES),
        has_default_identities=not named,
        identities_only=_yes(options.one("identitiesonly")),
        identity_agent=_agent(identity_agent, tokens, account),
        certificate_files=paths(options.all("certificatefile")),
        proxy_jump=jump,
        proxy_command=command,
        user_known_hosts_files=paths(options.words("userknownhostsfile") or ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")),
        global_known_hosts_files=paths(
            options.words("globalknownhostsfile") or ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
        ),
        host_key_alias=options.one("hostkeyalias"),
        connect_timeout_s=_seconds(options.one("connecttimeout")),
        notes=options.notes,
    )


def _proxy(options: ConfigOptions, tokens: dict[str, str]) -> tuple[tuple[Destination, ...], str | None]:
    """Whichever of ProxyJump and ProxyCommand came first counts, as in ssh."""
    name, value = options.first("proxyjump", "proxycommand")
    if value is None or value.lower() == "none":
        return (), None
    if name == "proxyjump":
        return tuple(parse_destination(_expand(hop.strip(), tokens)) for hop in value.split(",")), None
    return (), _expand(value, tokens)


def _expand(value: str, tokens: dict[str, str]) -> str:
    """Replace `%x`. Host, user and port were checked against a strict pattern: they may stand in a shell command."""
    if "%" not in value:
        return value

    def one(match: re.Match[str]) -> str:
        letter = match.group(1)
        if letter != "%" and letter not in tokens:
            raise UsageError(f"ssh_config: %{letter} in {value!r} is not known here; use --transport openssh")
        return tokens.get(letter, "%")

    return re.sub(r"%(.?)", one, value)


def _path(value: str, tokens: dict[str, str], account: LocalAccount) -> Path:
    return _plain_path(value) if value[:1] == "/" and not set("%$") & set(value) else _expand_path(value, tokens, account)


@lru_cache(maxsize=64)
def _plain_path(value: str) -> Path:
    return Path(value)


def _expand_path(value: str, tokens: dict[str, str], account: LocalAccount) -> Path:
    text = re.sub(r"\$\{(\w+)\}", lambda match: os.environ.get(match.group(1), ""), _expand(value, tokens))
    if text == "~" or text.startswith("~/"):
        return account.home / text[2:]
    return Path(os.path.expanduser(text))  # ~other


def _agent(value: str | None, tokens: dict[str, str], account: LocalAccount) -> str | None:
    if value is None or value == "SSH_AUTH_SOCK":
        return None
    if value.lower() == "none":
        return "none"
    if value.startswith("$") and not value.startswith("${"):
        return os.environ.get(value[1:], "none")
    return str(_path(value, tokens, account))


def _safe_host(host: str, keyword: str) -> str:
    if not HOST.fullmatch(host):
        raise UsageError(f"ssh_config: {keyword} {host!r} is no host name")
    return host


def _yes(value: str | None) -> bool:
    return (value or "no").lower() in ("yes", "true")


def _seconds(value: str | None) -> float | None:
    """A time such as `10`, `1m30s` (sshd_config(5), TIME FORMATS); None for `none` and 0."""
    if value is None or value.lower() == "none":
        return None
    if not re.fullmatch(r"(\d+[smhdwSMHDW]?)+", value):
        raise UsageError(f"ssh_config: ConnectTimeout {value!r} is no time")
    units = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    return sum(int(n) * units[u.lower()] for n, u in re.findall(r"(\d+)([smhdwSMHDW]?)", value)) or None
