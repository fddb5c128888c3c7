# ------------------------------------------------------------------------------------------------- reading this host

# dash and busybox `read` get one character of a /proc/sys file, so cat reads those.
sysctl_path() { printf '%s/sys/%s\n' "$PROC" "$(printf '%s' "$1" | tr . /)"; }

sysctl_value() { cat "$(sysctl_path "$1")"; } # KEY

kilobytes() { # NAME of /proc/meminfo -> kB, 0 if there is none
  while read -r _name _kb _; do
    if [ "$_name" = "$1:" ]; then
      printf '%s\n' "$_kb"
      return
    fi
  done <"$PROC/meminfo"
  printf '0\n'
}

live_tasks() { # all tasks of the host: field 4 of loadavg, running/total
  read -r _ _ _ _tasks _ <"$PROC/loadavg"
  printf '%s\n' "${_tasks#*/}"
}

tasks_of() { # UID -> tasks (threads, zombies too) of all its processes
  (
    set +f
    cd "$PROC" || exit 1
    set -- "$1" [0-9]*
    awk -v proc="$PROC" 'BEGIN { uid = ARGV[1]; for (i = 2; i < ARGC; i++) {
      file = proc "/" ARGV[i] "/status"; owner = ""; threads = 0
      while ((getline line < file) > 0) {
        if (line ~ /^Uid:/) { split(line, part); owner = part[2] }
        if (line ~ /^Threads:/) { split(line, part); threads = part[2] } }
      close(file)
      if (owner == uid) sum += threads }
      print sum + 0 }' "$@"
  )
}

# State, parent, start time and owner of a process; fails when there is none.
process() { # PID -> P_STATE P_PARENT P_START P_UID P_KB
  P_STATE='' P_PARENT='' P_START='' P_UID='' P_KB=0
  _stat=$(cat "$PROC/$1/stat") || return 1
  _stat=${_stat##*) } # the name before it may hold anything, brackets and spaces too
  # shellcheck disable=SC2086 # split at the spaces
  set -- "$1" $_stat
  [ $# -ge 22 ] || return 1
  _pid=$1 P_STATE=$2 P_PARENT=$3
  shift 20
  P_START=$1
  while read -r _name _first _; do
    case $_name in Uid:) P_UID=$_first ;; VmSize:) P_KB=$_first ;; esac
  done <"$PROC/$_pid/status"
  [ -n "$P_UID" ]
}

# The process of the order, or a refusal: a number may have passed to another process meanwhile.
same_process() { # PID START UID
  process "$1" || refuse process_gone "$1"
  [ "$P_START" = "$2" ] || refuse process_gone "$1"
  [ "$P_UID" = "$3" ] || refuse process_changed "$1"
}

limit_of() { # PID RESOURCE -> SOFT:HARD as the kernel has it
  case $2 in
    nproc) _title='Max processes' ;;
    as) _title='Max address space' ;;
    nofile) _title='Max open files' ;;
    memlock) _title='Max locked memory' ;;
    data) _title='Max data size' ;;
    sigpending) _title='Max pending signals' ;;
  esac
  while IFS= read -r _line; do
    case $_line in
      "$_title "*)
        # shellcheck disable=SC2086 # split at the spaces
        set -- ${_line#"$_title"}
        printf '%s:%s\n' "$1" "$2"
        return
        ;;
    esac
  done <"$PROC/$1/limits"
  return 1
}

is_less() { # A B: numbers, or the word for no limit
  case $1 in max | unlimited | infinity) return 1 ;; esac
  case $2 in max | unlimited | infinity) return 0 ;; esac
  [ "$1" -lt "$2" ]
}

raised_pair() { # SOFT:HARD VALUE -> the pair with that soft limit; the hard one rises only if it must
  if is_less "${1#*:}" "$2"; then printf '%s:%s\n' "$2" "$2"; else printf '%s:%s\n' "$2" "${1#*:}"; fi
}

control() { timeout 60 systemctl --no-ask-password "$@" >/dev/null; }

# systemd answers before it has written a cgroup: look again for two seconds.
within_2s() { # COMMAND...
  _tries=0
  until "$@"; do
    _tries=$((_tries + 1))
    [ "$_tries" -lt 20 ] || return 1
    sleep 0.1 || sleep 1
  done
}

# What systemd says about the unit, in U_ variables; fails, with U_WHY, when it says nothing or has not loaded it.
unit() {
  U_LOAD='' U_ACTIVE='' U_CGROUP='' U_DROPINS='' U_TASKS_MAX='' U_INVOCATION='' U_LIMITS='' U_WHY=systemd
  U_LIMITS=$(timeout 60 systemctl show -p LoadState -p ActiveState -p ControlGroup -p DropInPaths -p TasksMax -p InvocationID \
    -p LimitNPROC -p LimitNPROCSoft -p LimitAS -p LimitASSoft -p LimitNOFILE -p LimitNOFILESoft \
    -p LimitMEMLOCK -p LimitMEMLOCKSoft -p LimitDATA -p LimitDATASoft -p LimitSIGPENDING -p LimitSIGPENDINGSoft "$UNIT") || return 1
  while IFS= read -r _line; do
    _value=${_line#*=}
    case $_value in infinity | 18446744073709551615) _value=max ;; esac # systemd up to 24x prints the number
    case $_line in
      LoadState=*) U_LOAD=$_value ;;
      ActiveState=*) U_ACTIVE=$_value ;;
      ControlGroup=*) U_CGROUP=$_value ;;
      DropInPaths=*) U_DROPINS=$_value ;;
      TasksMax=*) U_TASKS_MAX=$_value ;;
      InvocationID=*) U_INVOCATION=$_value ;;
    esac
  done <<EOF
$U_LIMITS
EOF
  U_WHY=unit_not_loaded
  [ "$U_LOAD" = loaded ] # an unknown unit still prints defaults
}

shown_limit() { # SETTING -> SOFT:HARD of what systemd said of the unit
  _soft='' _hard=''
  while IFS= read -r _line; do
    case $_line in "$1="*) _hard=${_line#*=} ;; "$1Soft="*) _soft=${_line#*=} ;; esac
  done <<EOF
$U_LIMITS
EOF
  printf '%s:%s\n' "$(unlimited "$_soft")" "$(unlimited "$_hard")"
}

unlimited() { case $1 in infinity | 18446744073709551615) printf 'unlimited\n' ;; *) printf '%s\n' "$1" ;; esac; }

cgroup_path() { # of U_CGROUP: v1 and hybrid have a pids hierarchy of their own
  if [ -d "$CGROUP/pids" ]; then printf '%s/pids%s\n' "$CGROUP" "$U_CGROUP"; else printf '%s%s\n' "$CGROUP" "$U_CGROUP"; fi
}

has_cgroup() { [ -n "$U_CGROUP" ] && [ "$U_CGROUP" != / ] && [ -e "$(cgroup_path)/pids.max" ]; }

# systemd keeps the settings of a unit that a program made (systemd-run, a session's scope) beside that unit.
runtime_folder() { if [ -e "$TRANSIENT_UNITS/$UNIT" ]; then echo "$TRANSIENT_UNITS"; else echo "$RUNTIME_UNITS"; fi; }

# A drop-in of any directory that sorts after ours and sets the same thing would win at the next daemon-reload.
refuse_later_dropin() { # OUR_NAME SETTING
  for _dropin in $U_DROPINS; do
    [ "$_dropin" != "$OWN" ] || continue
    _last=$(printf '%s\n%s\n' "$1" "${_dropin##*/}" | sort | sed -n '$p')
    [ "$_last" = "$1" ] || ! grep -q "^[[:space:]]*${2}[A-Za-z]*[[:space:]]*=" "$_dropin" || refuse overridden "$(quote "$_dropin")"
  done
}

half_of_threads_max() { echo $(($(sysctl_value kernel.threads-max) / 2)); }

