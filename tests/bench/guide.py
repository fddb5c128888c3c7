"""What a person types by the guide, in its order: 17 commands. Pure data.

Left out of the guide's list: `vmstat 1 5`, which only sleeps, and `smem`, which is seldom installed. `|| true`: where a file is
not there, the person reads the error and goes on.
"""

COMMANDS = (
    "free -h",
    "grep -E 'MemAvailable|SwapFree|Committed_AS|CommitLimit' /proc/meminfo",
    "ps -eLf | wc -l",
    "grep -E 'Committed_AS|CommitLimit' /proc/meminfo",
    "cat /proc/sys/vm/overcommit_memory",
    "cat /proc/sys/vm/overcommit_ratio",
    "cat /proc/sys/kernel/pid_max",
    "cat /proc/sys/kernel/threads-max",
    "systemctl show -p TasksMax -p TasksCurrent cron.service 2>/dev/null || true",
    "cat /sys/fs/cgroup/system.slice/cron.service/pids.current 2>/dev/null || true",
    "cat /sys/fs/cgroup/system.slice/cron.service/pids.max 2>/dev/null || true",
    "cat /sys/fs/cgroup/system.slice/cron.service/pids.events 2>/dev/null || true",
    "ulimit -u 2>/dev/null || true",
    "ulimit -v",
    "cat /proc/sys/vm/max_map_count",
    "cat /proc/1/limits",
    "ps -u $(id -un) -L --no-headers | wc -l",
)
BATCH = "; echo ==; ".join(COMMANDS)

# The same questions where the unit, the user and the process are not known yet: each is asked of all of them.
EVERYWHERE = """
for command in 1 2; do free -h; ps -eLf | wc -l; grep -E 'MemAvailable|Committed_AS|CommitLimit' /proc/meminfo; done
for key in vm/overcommit_memory vm/overcommit_ratio vm/max_map_count kernel/pid_max kernel/threads-max; do cat /proc/sys/$key; done
find /sys/fs/cgroup -name pids.current 2>/dev/null | while read -r file; do
  unit=$(dirname "$file"); echo "$unit $(cat "$unit/pids.current") $(cat "$unit/pids.max" "$unit/pids.events" 2>/dev/null)"
done
for process in /proc/[0-9]*; do
  echo "${process#/proc/} $(grep -E 'processes|address' "$process/limits" 2>/dev/null) $(wc -l < "$process/maps" 2>/dev/null)"
done
for user in $(ps -eo user= | sort -u); do echo "$user $(ps -u "$user" -L --no-headers | wc -l)"; done
"""
