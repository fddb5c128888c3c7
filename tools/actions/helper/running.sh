# ------------------------------------------------------------------------------------------------------- running one

# After a failed or cut change, from the EXIT trap.
put_back() {
  if ! is_undoable; then # nothing to put back; cut in between, nobody knows whether it was done
    if [ "$FAILURE" = interrupted ]; then set -- half unknown; else set -- failed failed; fi
  elif "restore_$ACTION"; then
    set -- restored failed
  else
    set -- half unknown
  fi
  JOURNAL=$1 PHASE=ended
  printf '%s\n' "$1" >"$ENTRY/state" || JOURNAL=incomplete
  report "$2" "$FAILURE"
  if [ "$2" = failed ]; then _status=4; else _status=5; fi
  log "$2"
}

fail() { # REASON, between the first change and its confirmation: the EXIT trap puts back
  FAILURE=$1
  exit 4
}

change() {
  "check_$ACTION"
  record_before
  is_in_time || refuse expired
  PHASE=changing FAILURE=interrupted
  "apply_$ACTION" || fail not_applied
  "observe_$ACTION" || fail not_taken
  printf '%s\n' "$AFTER" >"$ENTRY/after" && mark applied || JOURNAL=incomplete
  PHASE=ended
  report applied ok
  log applied
}

# The captured "before" of an earlier id is put back, if this boot still has it and present use allows it.
undo() {
  [ -d "$STATE/journal/$UNDOES" ] || refuse unknown_id
  _state=''
  read -r _state <"$STATE/journal/$UNDOES/state"
  case $_state in
    applied | changing | undoing | half) ;;
    undone) refuse already_undone ;;
    *) refuse nothing_to_undo "$(quote "$_state")" ;;
  esac
  { IFS= read -r BEFORE && IFS= read -r EXTRA && IFS= read -r _boot; } <"$STATE/journal/$UNDOES/before" || refuse nothing_to_undo
  _id=$ID _plan=$PLAN _until=$EXPIRES _was=$_state
  parse "$STATE/journal/$UNDOES/order" # verified when it was stored, root-only since
  ID=$_id PLAN=$_plan EXPIRES=$_until
  is_lasting || [ "$_boot" = "$BOOT" ] || refuse nothing_to_undo rebooted
  JOURNAL=$_state ENTRY=$STATE/journal/$UNDOES
  "undo_guard_$ACTION"
  mark undoing || refuse journal_unwritable
  is_in_time || {
    mark "$_was"
    refuse expired
  }
  PHASE=undoing FAILURE=undo_interrupted
  if "restore_$ACTION"; then
    mark undone || JOURNAL=incomplete
    set -- undone ok
  else
    mark half
    set -- unknown undo_differs
  fi
  _state=$JOURNAL ENTRY=$CLAIMED
  mark "undo:$_state"
  JOURNAL=$_state PHASE=ended
  report "$@"
  log "$1"
  [ "$1" = undone ] || exit 5
}

# For an undo that sees only when it is done that it went below present use: the change is made again, if it can be.
refuse_undo_after_all() { # DETAIL
  "apply_$ACTION" && mark applied || return 0
  PHASE=start
  refuse undo_unsafe "$1"
}

log() { logger -t triagebook -p auth.notice "order $ID plan $PLAN action $ORDERED $ACTION $STEP result $1"; }

# What was done, from the journal, and whether it is still being done. The lock is only tried.
status() {
  exec 9>>"$RUN/lock"
  if flock -n 9; then RUNNING=no; else RUNNING=yes; fi
  exec 9>&-
  BEFORE='' AFTER=''
  if [ "$ID" != none ]; then
    ENTRY=$STATE/journal/$ID
    if [ -r "$ENTRY/state" ]; then
      read -r JOURNAL <"$ENTRY/state"
      IFS= read -r BEFORE <"$ENTRY/before"
      IFS= read -r AFTER <"$ENTRY/after"
    elif [ -d "$ENTRY" ]; then
      JOURNAL=claimed
    fi
  fi
  PHASE=ended
  report status ok
}

main() {
  [ $# -eq 0 ] || refuse arguments
  [ "$(id -u)" = 0 ] || refuse not_root
  spool
  if is_status; then
    identify
    status
    exit 0
  fi
  verify
  parse "$SPOOL/order"
  ORDERED=$ACTION
  identify
  check_envelope
  lock
  probe_forks
  claim
  if [ "$ACTION" = undo ]; then undo; else change; fi
  exit 0
}

main "$@"
