# process_signal: TERM, or KILL after a TERM. Cannot be undone.

parse_process_signal() {
  parse_process
  field signal && word_of_process_signal_signal && WANTED=$VALUE
}

check_process_signal() {
  [ "$PID" -gt 1 ] || refuse protected
  same_process "$PID" "$START" "$USER_ID"
  [ "$P_STATE" != Z ] || refuse zombie "parent $P_PARENT"
  [ "$P_KB" -gt 0 ] || refuse protected kernel_thread
  BEFORE=alive
  _ancestor=$$
  while [ "$_ancestor" -gt 1 ]; do
    [ "$_ancestor" != "$PID" ] || refuse protected own_ancestor
    process "$_ancestor" || break
    _ancestor=$P_PARENT
  done
  [ "$WANTED" = TERM ] || was_asked_to_end || refuse term_first
}

was_asked_to_end() { # a TERM to the same process is in the journal
  set +f
  for _entry in "$STATE/journal"/*; do
    grep -qx "pid=$PID" "$_entry/order" && grep -qx "start=$START" "$_entry/order" &&
      grep -qx signal=TERM "$_entry/order" && grep -qx "boot=$BOOT" "$_entry/order" &&
      grep -qx applied "$_entry/state" && set -f && return 0
  done
  set -f
  return 1
}

apply_process_signal() { process "$PID" && [ "$P_START" = "$START" ] && kill -s "$WANTED" "$PID"; }

observe_process_signal() { # whether it ended is for fresh facts to say; a TERM may be answered slowly
  _tries=0
  while process "$PID" && [ "$P_START" = "$START" ] && [ "$P_STATE" != Z ] && [ "$_tries" -lt 10 ]; do
    _tries=$((_tries + 1))
    sleep 0.2 || sleep 1
  done
  if process "$PID" && [ "$P_START" = "$START" ] && [ "$P_STATE" != Z ]; then AFTER=alive; else AFTER=gone; fi
}

restore_process_signal() { return 1; }
undo_guard_process_signal() { refuse no_undo; }

