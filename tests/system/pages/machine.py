"""The machine on which a how-to page is followed: that of docs/how-to/serve.md, set up as that page says, and two hosts.

It has a network of its own, in which `web01` and `db01` are two sshd on port 22, so that every address and port is the page's. The
blocks of a page have marks as serve.md has them. What systemd is to start is started by the line of its unit, under its account.
"""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.command import ROOT
from tests.hang import GUARD_S
from tests.system.fixes import serve_page
from tests.system.fixes.serve_page import Block, blocks

PAGES = ROOT / "docs" / "how-to"
TYPED = "run: here, a token pasted after each line"
OPTIONS = "run: by systemd, the options from --mcp on"
MARKS = (OPTIONS, "run: here", "run: here, as ana", TYPED, "run: each until Ctrl-C", "run: by systemd")
NETWORK = f"""ip link set lo up
cd {ROOT}
mkdir -p /run/sshd /run/host
ssh-keygen -q -t ed25519 -N '' -f /run/host/key
for name in web01 db01; do
  case $name in web01) address=127.77.0.1 ;; db01) address=127.77.0.2 ;; esac
  echo "$address $name" >>/etc/hosts
  printf '%s\\n' "HostKey /run/host/key" "ListenAddress $address:22" "PidFile none" "UsePAM no" "StrictModes no" \\
    "AuthorizedKeysFile /run/host/authorized_keys" >"/run/host/$name"
  /usr/sbin/sshd -D -e -f "/run/host/$name" 2>"/run/host/$name.log" &
  running="${{running:-}} $!"
done
end() {{ kill $running 2>/dev/null || true; rm -rf /tmp/etc.$$; }}
trap end EXIT
id -u triagebook >/dev/null 2>&1 || useradd --home-dir /run triagebook
usermod -p '*' triagebook
mountpoint -q /root || mount -t tmpfs -o mode=0700 tmpfs /root
mkdir -m 0700 /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
for name in web01 db01; do echo "$name $(cut -d' ' -f1,2 /run/host/key.pub)"; done >/root/.ssh/known_hosts
cp /root/.ssh/id_ed25519.pub /run/host/authorized_keys
"""
# After the page of the server: its diagnosing account may log in to the hosts, whose key it knows.
SERVER = """cat /etc/triagebook-serve/diagnose.pub >>/run/host/authorized_keys
cat /root/.ssh/known_hosts >>/var/lib/triagebook/known_hosts
"""
FUNCTIONS = """
# Run a command of shell until its output has each of the other arguments; then SIGTERM, which is a Ctrl-C to it.
until_said() {
  line=$1; shift
  : >/run/said
  sh -c "exec $line" >/run/said 2>&1 & pid=$!
  for word; do
    tries=0
    until grep -q -e "$word" /run/said; do
      tries=$((tries + 1)); [ $tries -lt 150 ] && kill -0 $pid || { echo "NOT SAID: $word by $line"; cat /run/said; exit 70; }
      sleep 0.2
    done
  done
  kill $pid; wait $pid && echo "DONE: $line" || { echo "ENDED with $?: $line"; cat /run/said; exit 70; }
}
# As systemd starts a unit of ours: its account, its groups, its environment file, its line.
start_unit() {
  file=/etc/triagebook-serve/environment; options= ; more= ; groups=--clear-groups
  if grep -q '^EnvironmentFile=' /etc/systemd/system/$1 && [ -e $file ]; then
    options=$(sed -n 's/^TRIAGEBOOK_OPTIONS=//p' $file); more=$(grep -v '^TRIAGEBOOK_OPTIONS=' $file || true)
  fi
  grep -q '^SupplementaryGroups=' /etc/systemd/system/$1 && groups="--groups $(getent group triagebook-users | cut -d: -f3)"
  user=$(sed -n 's/^User=//p' /etc/systemd/system/$1)
  [ $user != triagebook-serve ] || install -d -o $user -g $user -m 0755 /run/triagebook
  home=/var/lib/$(sed -n 's/^StateDirectory=//p' /etc/systemd/system/$1)
  [ -d $home ] || install -d -o $user -g $user -m 0700 $home
  line=$(sed -n "s/^ExecStart=//p" /etc/systemd/system/$1)
  setpriv --reuid $user --regid $user $groups \
    env HOME=$home $more ${line%'$TRIAGEBOOK_OPTIONS'} $options >/run/$1.log 2>&1 & unit=$!
  running="$running $unit"
}
as_ana() { setpriv --reuid ana --regid ana --init-groups env HOME=/run/ana sh -euc "cd /run/ana; $1"; }
install -d -o ana -g ana /run/ana
await() { # a condition of shell, or the log of a unit
  tries=0
  until sh -c "$2" >/dev/null 2>&1; do
    tries=$((tries + 1)); [ $tries -lt 300 ] && kill -0 $unit 2>/dev/null || { echo "NOT REACHED: $2"; cat /run/$1.log; exit 70; }
    sleep 0.2
  done
}
"""


def pasted(page: str) -> list[Block]:
    """The blocks of a page that have a mark, in its order."""
    return [block for block in blocks(PAGES / page) if block.mark]


def unmarked(page: str) -> list[str]:
    """Blocks with a command that no mark says what becomes of, and marks that nobody knows."""
    found = blocks(PAGES / page)
    known = [block for block in found if block.mark in MARKS or block.mark.startswith(("run: nowhere (", "file: "))]
    return [block.text for block in found if block not in known and block.form != "yaml"]


def _script(rest: str) -> str:
    return serve_page.MACHINE + NETWORK + serve_page.here() + SERVER + FUNCTIONS + rest


def run(script: str, timeout_s: float) -> "subprocess.CompletedProcess[str]":
    """Run a script on such a machine, the server set up."""
    argv = ["unshare", "--mount", "--net", "sh", "-c", _script(script)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=False, stdin=subprocess.DEVNULL)


@contextmanager
def held(script: str) -> Iterator[Callable[[], str]]:
    """Such a machine on which the script has run, as long as the block lasts; what it printed. Raises AssertionError: it ended."""
    whole = _script(script) + "\necho HELD\nread -r _ || true\n"
    with tempfile.TemporaryFile("w+") as said:
        argv = ["unshare", "--mount", "--net", "sh", "-c", whole]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=said, stderr=said, text=True) as process:

            def read() -> str:
                said.flush()
                return Path(f"/proc/self/fd/{said.fileno()}").read_text()

            until = time.monotonic() + 4 * GUARD_S
            while not read().endswith("HELD\n"):
                assert process.poll() is None, read()[-3000:]
                assert time.monotonic() < until, read()[-3000:]
                time.sleep(0.1)
            yield read


def why_not() -> str:
    """Why there can be none here; empty where there can."""
    if not serve_page.can_run():
        return "needs root and mount namespaces"
    if subprocess.run(["unshare", "--net", "ip", "link", "set", "lo", "up"], capture_output=True, check=False).returncode != 0:
        return "no network namespaces here"
    return "" if Path("/usr/sbin/sshd").exists() else "no sshd here"
