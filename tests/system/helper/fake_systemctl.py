"""A stand-in for systemctl on a scratch host: one unit, its drop-ins merged by file name, its limit in a cgroup file.

Only what the helper asks of it. What the real one does is shown in the lab.
"""

from tests.system.helper.scratch_host import ScratchHost

UNIT = "shop@1.service"
SCRIPT = """#!/bin/sh
root=ROOT unit=UNIT
# Of a unit that a program made, systemd writes the settings beside its own file.
runtime=$root/run-units/control
[ ! -e $root/run-units/transient/$unit ] || runtime=$root/run-units/transient
files() { ls -d $root/etc/units/$unit.d/*.conf $runtime/$unit.d/*.conf 2>/dev/null; }
merged() { # SETTING DEFAULT: the last by file name wins
  value=$2
  for file in $(files | awk -F/ '{ print $NF, $0 }' | sort | cut -d' ' -f2); do
    found=$(sed -n "s/^$1=//p" "$file")
    [ -z "$found" ] || value=$found
  done
  echo "$value"
}
plainly_merged() { # SETTING: the same into `pair`, without a program: tests count those
  for file in $root/etc/units/$unit.d/*.conf; do
    [ -e "$file" ] || continue
    while IFS= read -r line; do
      case $line in "$1="*) pair=${line#*=} ;; esac
    done <"$file"
  done
}
apply() {
  [ -d $root/cgroup/system.slice/$unit ] || return 0
  merged TasksMax 20 >$root/cgroup/system.slice/$unit/pids.max
  merged MemoryMax 50331648 >$root/cgroup/system.slice/$unit/memory.max
}
[ "$1" != --no-ask-password ] || shift
case $1 in
  show)
    echo "LoadState=$(cat $root/loadstate 2>/dev/null || echo loaded)"
    echo ActiveState=active
    echo ControlGroup=/system.slice/$unit
    echo "TasksMax=$(merged TasksMax 20)"
    echo "MemoryMax=$(merged MemoryMax 50331648)"
    echo "DropInPaths=$(files | tr '\\n' ' ')"
    echo "InvocationID=$(cat $root/invocation)"
    pair=$(merged LimitNPROC 50)
    echo "LimitNPROCSoft=${pair%:*}"
    echo "LimitNPROC=${pair#*:}"
    echo LimitASSoft=infinity
    echo LimitAS=infinity
    pair=$(merged LimitNOFILE 1024:524288)
    echo "LimitNOFILESoft=${pair%:*}"
    echo "LimitNOFILE=${pair#*:}"
    for setting in MEMLOCK DATA SIGPENDING; do
      pair=infinity
      [ $setting != MEMLOCK ] || pair=8388608
      plainly_merged Limit$setting
      echo "Limit${setting}Soft=${pair%:*}"
      echo "Limit$setting=${pair#*:}"
    done
    ;;
  daemon-reload) [ ! -e $root/broken ] && { [ -e $root/systemd-257 ] || apply; } ;;
  set-property)
    mkdir -p $runtime/$unit.d
    printf '[Service]\\n%s\\n' "$4" >$runtime/$unit.d/50-${4%%=*}.conf
    apply
    ;;
  restart) echo 00000000000000000000000000000002 >$root/invocation ;;
  *) exit 1 ;;
esac
"""


def install(host: ScratchHost, systemd: str = "systemd-252") -> None:
    """Put the unit and its systemctl on the host: TasksMax 20, all 20 in use, in a slice without a limit of its own.

    systemd-257 reads its files again without applying them to a running unit.
    """
    host.write(systemd, "")
    host.write("bin/systemctl", SCRIPT.replace("ROOT", str(host.root)).replace("UNIT", UNIT), 0o755)
    host.write("invocation", "0" * 31 + "1\n")
    host.write(f"cgroup/system.slice/{UNIT}/pids.max", "20\n")
    host.write(f"cgroup/system.slice/{UNIT}/pids.current", "20\n")
    host.write(f"cgroup/system.slice/{UNIT}/memory.max", "50331648\n")
    hold(host, 40 << 20)
    host.write("cgroup/system.slice/memory.max", "max\n")
    host.write("cgroup/system.slice/pids.max", "max\n")
    host.write("cgroup/system.slice/pids.current", "90\n")


def limit(host: ScratchHost) -> str:
    """The unit's limit as the kernel has it."""
    return host.path(f"cgroup/system.slice/{UNIT}/pids.max").read_text().strip()


def use(host: ScratchHost, tasks: int) -> None:
    """How many tasks the unit has."""
    host.write(f"cgroup/system.slice/{UNIT}/pids.current", f"{tasks}\n")


def hold(host: ScratchHost, held: int) -> None:
    """How much memory the unit holds that cannot be given back, and 4 MiB of page cache."""
    host.write(f"cgroup/system.slice/{UNIT}/memory.current", f"{held + (4 << 20)}\n")
    stat = {"anon": held - 3000, "file": 4 << 20, "kernel": 5000, "shmem": 0, "slab_reclaimable": 2000}
    host.write(f"cgroup/system.slice/{UNIT}/memory.stat", "".join(f"{name} {value}\n" for name, value in stat.items()))
