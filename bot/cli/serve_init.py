"""`triagebook serve init` sets up an approval server on this machine, after showing what it would do."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from triagebook.runbooks.engine.errors import UsageError

if TYPE_CHECKING:
    from triagebook.tools.server.setup import ServerLayout, SetupStep

Apply = Annotated[bool, typer.Option("--apply", help="Do it; without this option it only shows what it would do")]
Program = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="The program that the unit starts (default: /opt/triagebook-serve/bin/triagebook)"),
]
Root = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Write below this directory instead of /, for an image: makes no account, gives nothing away"),
]
WRONG = 4
NEXT = """\
Next, in this order ({config} is root's to edit):
  1. Name your hosts in {config}/inventory.yaml.
  2. Say who may do what in {config}/policy.yaml, and check it:
       triagebook policy check --file {config}/policy.yaml
  3. Let each of these persons ask the server:
       usermod -aG {group} NAME
  4. Start it:
       systemctl daemon-reload
       systemctl enable --now triagebook.service
  5. Prepare each host; log in there as root:
       triagebook host install root@HOST
  6. Let the server know each host's key, once you compared it with the host's own:
       ssh-keyscan -t ed25519 HOST | tee -a {data}/known_hosts | ssh-keygen -lf -
  7. See that the server reaches a host and can do there what it should, and no more:
       runuser -u {account} -- {program} host check --data {data} HOST
"""


def init(*, apply: Apply = False, program: Program = None, root: Root = None) -> None:
    """Prepare this machine to run an approval server. Shows what it would do; --apply does it, as root.

    Makes an account and a group, the data and configuration folders, a policy, an inventory and an ssh configuration to start
    from, the keys of the server and of its two accounts on hosts, and the systemd unit. Overwrites nothing: what is there stays.

    Example: triagebook serve init

    Exit status: 0 done or shown, 2 usage, 4 something is there and wrong.
    """
    from triagebook.tools.server.setup import ServerLayout, setup_steps  # noqa: PLC0415 - cryptography

    plain = ServerLayout()
    layout = ServerLayout(program=program or plain.program, root=(root or Path("/")).absolute())
    if apply and root is None and os.geteuid() != 0:
        raise UsageError("serve init --apply makes an account and writes below /etc and /var: run it as root", reason="usage")
    steps = setup_steps(layout)
    if not apply:
        _show(steps, "would make")
        wrong = any(step.state == "wrong" for step in steps)
        sys.stdout.write("Nothing was changed. To do it, as root:\n  triagebook serve init --apply\n" if not wrong else "")
        raise typer.Exit(WRONG if wrong else 0)
    _make(steps, layout)


def _make(steps: "tuple[SetupStep, ...]", layout: "ServerLayout") -> None:
    """Make what is missing, in order, unless something that is there is wrong."""
    if any(step.state == "wrong" for step in steps):
        _show(steps, "not made")
        raise typer.Exit(WRONG)
    for step in steps:
        if step.state == "missing":
            step.make()
    _show(steps, "made")
    names = {"config": layout.config, "data": layout.data, "group": layout.group, "account": layout.account}
    sys.stdout.write(NEXT.format(**names, program=layout.program))
    if not layout.at(layout.program).exists():
        sys.stderr.write(f"triagebook: warning: the unit starts {layout.program}, which is not there yet\n")


def _show(steps: "tuple[SetupStep, ...]", made: str) -> None:
    words = {"missing": made, "there": "is there", "wrong": "IS WRONG"}
    for step in steps:
        cure = f"\n            put it right, then again:  {step.cure}" if step.cure else ""
        sys.stdout.write(f"{words[step.state]:<10}  {step.what}{cure}\n")
