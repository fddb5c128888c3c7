"""fabric, a thread for each host at work: connect and run every command. `python with_fabric.py TASK`.

Its known_hosts are those of the home folder it is given.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fabric import Config, Connection  # type: ignore[import-not-found,unused-ignore]


def visit(task: dict[str, Any], address: str, port: int) -> int:
    configuration = Config(overrides={"load_ssh_configs": False})
    with Connection(
        address, user=task["user"], port=port, config=configuration,
        connect_kwargs={"key_filename": task["key"], "look_for_keys": False, "allow_agent": False, "banner_timeout": 120},
    ) as connection:  # fmt: skip
        return sum(len(connection.run(command, hide=True).stdout) for command in task["commands"])


def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text())
    with ThreadPoolExecutor(min(task["workers"], len(task["hosts"]))) as pool:
        received = list(pool.map(lambda host: visit(task, *host), task["hosts"]))
    sys.exit(0 if all(received) else 1)


main()
