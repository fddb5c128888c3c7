"""The commands of docs/how-to/serve.md, each block with the mark above it that says where it runs, and a machine to run them on.

The machine is this one in a mount namespace: /etc is a copy, /opt, /run and /var/lib are empty, so that `serve init` may make its
account, folders and unit as written. systemd is not asked: the unit's own line is started under the unit's account.
"""

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.command import ROOT

PAGE = ROOT / "docs" / "how-to" / "serve.md"
BLOCK = re.compile(r"^(?:<!-- (?P<mark>[^>]*) -->\n)?```(?P<form>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAM = "/opt/triagebook-serve/bin/triagebook"
MACHINE = f"""set -eu
mount --make-rprivate /
mkdir /tmp/etc.$$ && cp -a /etc/. /tmp/etc.$$ && mount --bind /tmp/etc.$$ /etc
for folder in /opt /run /var/lib; do mount -t tmpfs tmpfs "$folder"; done
mkdir -p /opt/triagebook-serve/bin /opt/python
mount --bind {sys.base_prefix} /opt/python # other accounts may run it there, wherever it lies
case {sys.base_prefix} in
  /root/*) mount -t tmpfs -o mode=0755 tmpfs /root && mkdir -p {sys.base_prefix} && mount --bind /opt/python {sys.base_prefix} ;;
esac
printf '#!/bin/sh\\nexec %s -c "from triagebook.bot.cli.app import main; main()" "$@"\\n' {shlex.quote(sys.executable)} >{PROGRAM}
chmod 755 {PROGRAM}
PATH=/opt/triagebook-serve/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH HOME=/root
for name in ana ben mallory; do id -u "$name" >/dev/null 2>&1 || useradd --no-create-home "$name"; done
"""
START = """install -d -o triagebook-serve -g triagebook-serve -m 0755 /run/triagebook
options=$(sed -n 's/^Environment=TRIAGEBOOK_OPTIONS=//p' /etc/systemd/system/triagebook.service)
line=$(sed -n "s/ [$]TRIAGEBOOK_OPTIONS$/ $options/; s/^ExecStart=//p" /etc/systemd/system/triagebook.service)
setpriv --reuid triagebook-serve --regid triagebook-serve --groups "$(getent group triagebook-users | cut -d: -f3)" \
  env HOME=/var/lib/triagebook $line >/run/serve.log 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; wait $server || true; rm -rf /tmp/etc.$$' EXIT
until [ -S /run/triagebook/triagebook.sock ]; do kill -0 $server || { cat /run/serve.log; exit 70; }; sleep 0.2; done
as() { name=$1; shift; setpriv --reuid "$name" --regid "$name" --init-groups env HOME=/run "$@"; }
"""


@dataclass(frozen=True)
class Block:
    """A block of the page: what stands in it, and where it is meant to run."""

    mark: str
    form: str
    text: str


def blocks(page: Path = PAGE) -> list[Block]:
    """Every block of the page, in its order."""
    return [Block(found["mark"] or "", found["form"], found["text"]) for found in BLOCK.finditer(page.read_text())]


def file_of(block: Block) -> str:
    """A block that is the content of a file, as a command that writes it."""
    path = block.mark.removeprefix("file: ").replace("~/", "$HOME/")
    return f"cat >{path} <<'CONTENT'\n{block.text}CONTENT\n"


def here(page: Path = PAGE) -> str:
    """All that runs without a guest, in the page's order: what is pasted, and the files that are edited."""
    parts = [file_of(block) if block.mark.startswith("file: ") else block.text for block in blocks(page) if is_here(block)]
    return "\n".join(parts)


def is_here(block: Block) -> bool:
    return block.mark == "run: here" or block.mark.startswith("file: ")


def run(script: str, timeout_s: float) -> "subprocess.CompletedProcess[str]":
    """Run a script on a machine of its own."""
    argv = ["unshare", "--mount", "sh", "-c", MACHINE + script]
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=False, stdin=subprocess.DEVNULL)


def can_run() -> bool:
    """Whether such a machine can be made here."""
    done = subprocess.run(["unshare", "--mount", "mount", "--make-rprivate", "/"], capture_output=True, check=False)
    return Path("/usr/sbin/useradd").exists() and done.returncode == 0
