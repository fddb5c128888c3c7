"""Stock paramiko, a thread for each host at work: connect, run every command, print the bytes received.

Run by a Python that has paramiko: `python with_paramiko.py TASK`.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import paramiko


def visit(task: dict[str, Any], address: str, port: int) -> int:
    client = paramiko.SSHClient()
    client.load_host_keys(task["known_hosts"])
    client.connect(
        address, port, task["user"], key_filename=task["key"], look_for_keys=False, allow_agent=False, timeout=60,
        banner_timeout=120, auth_timeout=120,
    )  # fmt: skip
    received = 0
    for command in task["commands"]:
        _stdin, stdout, _stderr = client.exec_command(command)
        received += len(stdout.read())
        stdout.channel.recv_exit_status()
    client.close()
    return received


def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text())
    with ThreadPoolExecutor(min(task["workers"], len(task["hosts"]))) as pool:
        received = list(pool.map(lambda host: visit(task, *host), task["hosts"]))
    sys.exit(0 if all(received) else 1)


main()
