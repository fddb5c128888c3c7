"""The page of configuration: each key and variable, its default, and what wins. A key without a text here stops the page."""

from collections.abc import Mapping, Sequence

from triagebook.bot.render.style import WIDTH
from triagebook.bot.slack import settings as slack
from triagebook.tools import settings
from triagebook.tools.server.client import SOCKET, VARIABLE

from tests.reference.markdown import fenced, made_by, table

HEAD = """# Configuration

Nothing has to be configured. Two files are read where they exist; a mistake in one is refused with file, line and the nearest
right word. An empty file, or one with comments only, is as good as none.

| File | What it holds |
|---|---|
| `~/.config/triagebook/config.yaml` | settings, below |
| `~/.config/triagebook/inventory.yaml` | your hosts and groups |

`$XDG_CONFIG_HOME/triagebook` replaces `~/.config/triagebook`. A service's account has files of its own: those of
`triagebook-serve` are in `/var/lib/triagebook/.config/triagebook`.

"""
PRECEDENCE = """## What wins

1. An option of the command line.
2. The environment variable that the option names in its help.
3. `config.yaml`.
4. The default.

`accept_unknown` and `--accept-unknown` are added up instead: what any of the command line, the configuration, the host or one of
its groups accepts is accepted.

"""
CONFIG: Mapping[str, tuple[str, str, str]] = {
    "runbook_paths": ("Folders with runbooks of your own. A relative one is relative to this file.", "none", "[./runbooks]"),
    "default_runbook": ("One runbook to ask alone where none is named, instead of those of `triage`.", "none", ""),
    "ssh_config": (
        "The ssh configuration to use (`-F`).",
        "`~/.ssh/config`, then `/etc/ssh/ssh_config`",
        "/etc/triage/ssh_config",
    ),
    "inventory": (
        "Where hosts and groups come from: files, `ssh_config`, `ansible:PATH`.",
        "`inventory.yaml` beside this file, then `ssh_config`",
        '[inventory.yaml, ssh_config, "ansible:site/hosts.ini"]',
    ),
    "accept_unknown": (
        "Checks whose unknown result is a caveat on every host, and not inconclusive.",
        "none",
        "[max_map_count]",
    ),
    "slack": ("Settings of the Slack app, below.", "none", "{approvals: C0123456789}"),
    "triage": (
        "The runbooks to ask together where none is named (`--runbook`), the more likely ones first.",
        "every released one",
        "[enomem]",
    ),
    "sites": (
        "The NATS server over which the workers of sites are asked, the file with our key, and the authority of its certificate.",
        "every host is reached from here",
        "{nats: 'tls://nats.example.com:4222', credentials: server.creds, authority: ca.pem}",
    ),
    "timeout": ("Seconds that a host may be silent before it is given up (`--timeout`), 1 to 600.", "about 8", "30"),
}
SLACK: Mapping[str, tuple[str, str]] = {
    "approvals": ("The channel where plans wait for a decision (`--slack-approvals` wins).", "none"),
    "alerts": ("The channel where alerts are shown whose rule names no other.", "none"),
    "commands": ("Further slash commands, each with the runbook it means; empty: the default one.", "one a runbook, and `/triage`"),
    "storm": ("So many new hosts within a minute in one channel become one table.", "10"),
}
INVENTORY = """## inventory.yaml

```yaml
hosts:
  web01:                                                       # a name that ssh knows
  db01: {ssh: admin@10.0.0.7}                                  # where ssh goes by another name
  app01: {accept_unknown: [max_map_count]}
  web09: {site: eu1}                                           # reached by the workers of a site
groups:
  web: [web01, web02]
  europe: {hosts: [db01], groups: [web], accept_unknown: [max_map_count]}
  frankfurt: {hosts: [web10, web11], site: eu1}
```

| Key | What it says |
|---|---|
| `hosts.NAME.ssh` | `[USER@]ADDRESS[:PORT]` where ssh reaches the host by another name |
| `hosts.NAME.accept_unknown` | checks whose unknown result is a caveat on this host |
| `hosts.NAME.site` | the site whose workers reach it (docs/how-to/sites.md); without one it is reached from here |
| `groups.NAME` | a list of hosts, or a mapping with the keys below; `@NAME` on the command line, `@all` is every host |
| `groups.NAME.hosts`, `.groups` | hosts and other groups that belong to it |
| `groups.NAME.accept_unknown`, `.site` | the same for each of its hosts; a site of the host's own stands |

"""
VARIABLES: Mapping[str, str] = {
    "XDG_CONFIG_HOME": "replaces `~/.config`",
    "XDG_CACHE_HOME": "replaces `~/.cache`: checked runbooks are kept there, and can be made again",
    "XDG_STATE_HOME": "replaces `~/.local/state`: how the last login at each host went",
    "XDG_RUNTIME_DIR": "the sockets of a running watch are below it; without it, below the state folder",
    VARIABLE: f"socket of the approval server (`--socket` wins; default `{SOCKET}`)",
    "TRIAGEBOOK_DATABASE": "database of `triagebook serve` (`--database` wins; default SQLite in `--data`)",
    "SSH_AUTH_SOCK": "socket of your ssh agent",
    "NO_COLOR": "any value: no colour",
    "TERM": "`dumb`: no colour, no lines that are written over",
    "COLUMNS": f"width of text on a terminal, else its own; at most {WIDTH}, the width of text that goes to no terminal",
    slack.BOT_TOKEN: "`serve --slack`: the bot token",
    slack.APP_TOKEN: "`serve --slack`: the token of Socket Mode",
    slack.SIGNING_SECRET: "`serve --slack-http`: the signing secret",
    slack.API: "address of Slack's API, for tests",
    "JOURNAL_STREAM": "set by systemd: the log carries no times, the journal has them",
    "NOTIFY_SOCKET": "set by systemd: `serve` says when it is ready",
}


def page() -> str:
    """Return the page. Raises KeyError for a key of the product that is not described here."""
    rows = [(f"`{key}`", *CONFIG[key][:2]) for key in settings.KEYS]
    example = "\n".join(f"{key}: {CONFIG[key][2]}" for key in settings.KEYS)
    require(settings.KEYS, CONFIG)
    require(slack.KEYS, SLACK)
    return (
        HEAD
        + made_by("`tests/reference/configuration_page.py` and the keys that the product reads")
        + PRECEDENCE
        + "## config.yaml\n\n"
        + table(("Key", "What it says", "Default"), rows)
        + "Every key, with an example of its value:\n\n"
        + fenced(example, "yaml")
        + "Under `slack`:\n\n"
        + table(("Key", "What it says", "Default"), ((f"`{key}`", *SLACK[key]) for key in slack.KEYS))
        + INVENTORY
        + "## Environment\n\n"
        + table(("Variable", "What it does"), ((f"`{name}`", text) for name, text in VARIABLES.items()))
        + f"`{slack.BOT_TOKEN}_FILE` and the like name a file (mode 0600) that holds the secret instead.\n"
    )


def require(known: Sequence[str], described: Mapping[str, object]) -> None:
    """Stop where a key is described that the product does not have, or the other way round."""
    if set(known) != set(described):
        raise KeyError(f"describe in configuration_page.py: {sorted(set(known) ^ set(described))}")
