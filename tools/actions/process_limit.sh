# process_limit: RLIMIT_AS, RLIMIT_MEMLOCK or another limit of one running process.

parse_process_limit() {
  parse_process
  field resource && word_of_process_limit_resource && RESOURCE=$VALUE
  field before && pair before && EXPECTED=$VALUE
  field value && number value && WANTED=$VALUE
}

check_process_limit() {
  same_process "$PID" "$START" "$USER_ID"
  BEFORE=$(limit_of "$PID" "$RESOURCE")
  [ "$BEFORE" = "$EXPECTED" ] || refuse changed "$(quote "$BEFORE")"
  is_less "${BEFORE%:*}" "$WANTED" || refuse out_of_bounds not_higher
  check_resource
}

check_resource() {
  case $RESOURCE in
    as | data) [ "$WANTED" -le $((134217728 * MIB)) ] || refuse out_of_bounds ;; # 128 TiB, an x86-64 address space
    memlock) [ "$WANTED" -le $(($(kilobytes MemTotal) * 512)) ] || refuse out_of_bounds memory ;; # half of it: it is never swapped
    nproc | sigpending) [ "$WANTED" -le "$(half_of_threads_max)" ] || refuse out_of_bounds half_of_threads_max ;;
    nofile) [ "$WANTED" -le 1048576 ] && [ "$WANTED" -le "$(sysctl_value fs.nr_open)" ] || refuse out_of_bounds nr_open ;;
  esac
}

set_limit() { prlimit --pid "$PID" "--$RESOURCE=$1"; } # SOFT:HARD

apply_process_limit() { set_limit "$(raised_pair "$BEFORE" "$WANTED")"; }

observe_process_limit() {
  AFTER=$(limit_of "$PID" "$RESOURCE")
  [ "$AFTER" = "$(raised_pair "$BEFORE" "$WANTED")" ]
}

restore_process_limit() {
  process "$PID" && [ "$P_START" = "$START" ] || return 0 # it ended, and its limits with it
  set_limit "$BEFORE"
  AFTER=$(limit_of "$PID" "$RESOURCE")
  [ "$AFTER" = "$BEFORE" ]
}

undo_guard_process_limit() {
  process "$PID" && [ "$P_START" = "$START" ] || refuse nothing_to_undo process_gone
  [ "$JOURNAL" != applied ] || observe_process_limit || refuse changed "$(quote "$AFTER")"
  case $RESOURCE in
    as) is_less $((P_KB * 1024)) "${BEFORE%:*}" || refuse undo_unsafe "in use $P_KB kB" ;;
    data | memlock) # what is there stays, and every further request would be refused
      if [ "$RESOURCE" = data ]; then _kb=$(status_of "$PID" VmData:); else _kb=$(locked_kb_of "$PID"); fi
      is_less $((_kb * 1024)) "${BEFORE%:*}" || refuse undo_unsafe "in use $_kb kB"
      ;;
    sigpending) # "queued/limit", the former of all processes of the user
      _signals=$(status_of "$PID" SigQ:)
      is_less "${_signals%/*}" "${BEFORE%:*}" || refuse undo_unsafe "in use ${_signals%/*}"
      ;;
    nproc)
      _tasks=$(tasks_of "$USER_ID")
      is_less "$_tasks" "${BEFORE%:*}" || refuse undo_unsafe "in use $_tasks"
      ;;
    nofile) # nothing would be closed, and every new open refused
      _files=$(open_files_of "$PID")
      is_less "$_files" "${BEFORE%:*}" || refuse undo_unsafe "in use $_files"
      ;;
  esac
}

status_of() { # PID KEY -> the first word after it in /proc/PID/status, 0 where it is not there
  while read -r _key _word _; do
    if [ "$_key" = "$2" ]; then
      printf '%s\n' "$_word"
      return
    fi
  done <"$PROC/$1/status"
  echo 0
}

locked_kb_of() { # PID -> kB that it has locked or pinned, the larger
  _locked=$(status_of "$1" VmLck:) _pinned=$(status_of "$1" VmPin:)
  if [ "$_pinned" -gt "$_locked" ]; then echo "$_pinned"; else echo "$_locked"; fi
}

open_files_of() { # PID -> how many descriptors it has
  (
    set +f
    cd "$PROC/$1/fd" || exit 1
    set -- *
    echo $#
  )
}
