"""A process that carries out one approved fix and can be killed: `python -m tests.lab.executor_main CONFIGURATION`.

It says the name of each step on standard output as it comes to it.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from triagebook.bot.cli.serve import hosts_of, parts
from triagebook.tools.server.options import ServeOptions
from triagebook.tools.server.run import open_server

from tests.lab.approval_server import ASKS


def main() -> None:
    """Members of the configuration: fix, data, policy, inventory, ssh_config, fix_ssh_config, lease_s."""
    asked = json.loads(sys.argv[1])
    built = parts(hosts_of(Path(asked["ssh_config"]), Path(asked["inventory"])), Path(asked["fix_ssh_config"]), "triagebook-fix")
    options = ServeOptions(
        Path(asked["data"]), Path(asked["data"]) / "socket", policy=Path(asked["policy"]), lease_s=asked["lease_s"]
    )
    with open_server(options, replace(built, step=_say)) as place:
        place.service.apply(ASKS, asked["fix"])


def _say(step: str) -> None:
    sys.stdout.write(step + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
