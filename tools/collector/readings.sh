# What may be read on a host before a change, each about one thing: NAME SUBJECT... Read-only; POSIX sh.
name=$1
shift
for subject; do
  case $subject in -* | *..* | *[!A-Za-z0-9:_.@/\\-]*) exit 2 ;; esac
done
case $name in
  process | user) case $1 in '' | *[!0-9]*) exit 2 ;; esac ;;
  unit | unit_memory) case $1 in '' | */*) exit 2 ;; esac ;;
  folder) case $1 in /*) ;; *) exit 2 ;; esac ;;
esac
case $name in
  unit) # its cgroup file is the truth about its limit
    systemctl show -p LoadState -p ActiveState -p ControlGroup -p TasksMax -p InvocationID -p MainPID \
      -p LimitNPROC -p LimitNPROCSoft -p LimitAS -p LimitASSoft -p LimitNOFILE -p LimitNOFILESoft \
      -p LimitMEMLOCK -p LimitMEMLOCKSoft -p LimitDATA -p LimitDATASoft -p LimitSIGPENDING -p LimitSIGPENDINGSoft "$1" || exit
    group=$(systemctl show -p ControlGroup "$1") && group=${group#*=} && [ -n "$group" ] || exit 0
    for top in /sys/fs/cgroup/pids /sys/fs/cgroup; do
      [ ! -r "$top$group/pids.max" ] || { read -r max <"$top$group/pids.max" && echo "pids.max=$max"; exit; }
    done
    ;;
  unit_memory) # of cgroup v2, whose file is the truth about the limit
    systemctl show -p LoadState -p ActiveState -p ControlGroup -p MemoryMax -p MainPID "$1" || exit
    group=$(systemctl show -p ControlGroup "$1") && group=${group#*=} && [ -n "$group" ] || exit 0
    for file in memory.max memory.current; do
      [ ! -r "/sys/fs/cgroup$group/$file" ] || { read -r value <"/sys/fs/cgroup$group/$file" && echo "$file=$value"; }
    done
    exit 0
    ;;
  process) exec cat "/proc/$1/status" "/proc/$1/limits" "/proc/$1/stat" ;;
  user) # every process of one user, a block each, of the lines that are read. Builtins but for the last grep
    cd /proc || exit 1
    for pid in [0-9]*; do
      # shellcheck disable=SC2094 # the name is kept, nothing is written
      while read -r field real rest; do
        [ "$field" != Uid: ] || { [ "$real" != "$1" ] || set -- "$@" "$pid/status" "$pid/limits" "$pid/stat"; break; }
      done 2>/dev/null <"$pid/status"
    done
    shift
    [ $# = 0 ] || grep -hE "^((Name|Pid|PPid|Uid|Threads):|Max (processes|address space|open files|locked memory)  |[0-9]+ [(])" "$@" 2>/dev/null
    exit 0 # a process that ended meanwhile is no failure
    ;;
  sysctl)
    for key; do
      case $key in
        vm/max_map_count | vm/overcommit_memory | vm/overcommit_ratio | vm/overcommit_kbytes | kernel/pid_max | kernel/threads-max) ;;
        fs/file-max | fs/aio-max-nr | fs/inotify/max_user_instances | fs/inotify/max_user_watches) ;;
        net/core/somaxconn | net/core/optmem_max | net/ipv4/tcp_max_orphans | net/netfilter/nf_conntrack_max) ;;
        *) exit 2 ;;
      esac
    done
    cd /proc/sys && exec cat "$@"
    ;;
  figures) # kernel values of two or three figures
    case $1 in net/ipv4/tcp_mem | net/ipv4/udp_mem | net/ipv4/ip_local_port_range) ;; *) exit 2 ;; esac
    cd /proc/sys && exec cat "$1"
    ;;
  folder) exec df -P -T -k "$1" ;;
  *) exit 2 ;;
esac
