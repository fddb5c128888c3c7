# process_limit: RLIMIT_AS or RLIMIT_NPROC of one running process.

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
    as) [ "$WANTED" -le $((134217728 * MIB)) ] || refuse out_of_bounds ;; # 128 TiB, an x86-64 address space
    nproc) [ "$WANTED" -le "$(half_of_threads_max)" ] || refuse out_of_bounds half_of_threads_max ;;
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
    nproc)
      _tasks=$(tasks_of "$USER_ID")
      is_less "$_tasks" "${BEFORE%:*}" || refuse undo_unsafe "in use $_tasks"
      ;;
  esac
}

