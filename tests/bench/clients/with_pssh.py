"""parallel-ssh: every command on every host. `python with_pssh.py TASK`."""

import json
import sys
from pathlib import Path

from pssh.clients import ParallelSSHClient  # type: ignore[import-not-found,unused-ignore]
from pssh.config import HostConfig  # type: ignore[import-not-found,unused-ignore]


def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text())
    client = ParallelSSHClient(
        [address for address, _port in task["hosts"]],
        user=task["user"],
        pkey=task["key"],
        pool_size=task["workers"],
        host_config=[HostConfig(port=port) for _address, port in task["hosts"]],
        allow_agent=False,
    )
    received = 0
    for command in task["commands"]:
        for output in client.run_command(command):
            received += sum(len(line) + 1 for line in output.stdout)
    client.join()
    sys.exit(0 if received else 1)


main()
