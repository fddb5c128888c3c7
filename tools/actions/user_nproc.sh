# user_nproc: processes a user may have. Live for the named processes (children inherit); persistent for new logins.

parse_user_nproc() {
  field user && user_name && USER_NAME=$VALUE
  field uid && number uid && USER_ID=$VALUE
  field processes && processes
  case $STEP:$PROCESSES in live:none) refuse order_value processes ;; persist:none | live:*) ;; *) refuse order_value processes ;; esac
  field before && { [ "$STEP:$VALUE" = live:none ] || { [ "$STEP" = persist ] && pair before; }; } || refuse order_value before
  EXPECTED=$VALUE
  field value && number value && WANTED=$VALUE
}

check_user_nproc() {
  [ "$USER_ID" -ne 0 ] || refuse exempt
  [ "$(id -u "$USER_NAME")" = "$USER_ID" ] || refuse other_user
  _tasks=$(tasks_of "$USER_ID")
  [ "$WANTED" -gt "$_tasks" ] || refuse out_of_bounds below_use
  [ "$WANTED" -le "$(half_of_threads_max)" ] || refuse out_of_bounds half_of_threads_max
  if [ "$STEP" = persist ]; then check_user_file; else check_user_processes; fi
}

check_user_file() {
  BEFORE=$EXPECTED
  U_CGROUP=/user.slice/user-$USER_ID.slice
  if has_cgroup; then
    _max=$(cat "$(cgroup_path)/pids.max")
    ! is_less "$_max" "$WANTED" || refuse out_of_bounds user_slice
  fi
  capture_limits_file nproc "$LIMITS/zz-triagebook-$USER_NAME.conf"
  want_limits nproc "$(raised_pair "$EXPECTED" "$WANTED")"
}

capture_limits_file() { # RESOURCE FILE of limits.d: in force for logins, and none behind it that says otherwise
  grep -qsrE '^[[:space:]]*-?session[[:space:]].*pam_limits\.so' "$PAM" || refuse no_pam_limits
  capture_file "$2"
  set +f
  for _file in "$LIMITS"/*.conf; do # the last file that names the user wins
    [ "$_file" != "$OWN" ] || continue
    [ "$(printf '%s\n%s\n' "${OWN##*/}" "${_file##*/}" | sort | sed -n '$p')" != "${OWN##*/}" ] || continue
    ! grep -qE "^[[:space:]]*${USER_NAME}[[:space:]].*$1" "$_file" || refuse overridden "$(quote "$_file")"
  done
  set -f
}

want_limits() { # RESOURCE SOFT:HARD as limits.d counts it. The hard limit as it is, unless it must rise; where there was none, none is set
  {
    printf '%s soft %s %s\n' "$USER_NAME" "$1" "${2%:*}"
    [ "${2#*:}" = unlimited ] || printf '%s hard %s %s\n' "$USER_NAME" "$1" "${2#*:}"
  } >"$ENTRY/file.after" || refuse journal_unwritable
}

check_user_processes() {
  _alive=0 _seen=''
  IFS=,
  for _one in $PROCESSES; do
    unset IFS
    split_process "$_one"
    process "$L_PID" && [ "$P_START" = "$L_START" ] || continue # ended since: nothing to change
    [ "$P_UID" = "$USER_ID" ] || refuse process_changed "$L_PID"
    [ "$(limit_of "$L_PID" nproc)" = "$L_PAIR" ] || refuse changed "$L_PID"
    is_less "${L_PAIR%:*}" "$WANTED" || refuse out_of_bounds not_higher
    _alive=$((_alive + 1)) _seen=$_seen,$_one
  done
  unset IFS
  [ "$_alive" -gt 0 ] || refuse process_gone
  BEFORE=${_seen#,}
}

split_process() { # PID:START:SOFT:HARD -> L_PID L_START L_PAIR
  L_PID=${1%%:*}
  L_PAIR=${1#*:}
  L_START=${L_PAIR%%:*}
  L_PAIR=${L_PAIR#*:}
}

# Runs COMMAND for each captured process that is still the same one; those that ended are left out.
for_processes() { # FUNCTION
  _failed=0
  IFS=,
  for _one in $BEFORE; do
    unset IFS
    split_process "$_one"
    process "$L_PID" && [ "$P_START" = "$L_START" ] || continue
    "$1" || _failed=1
  done
  unset IFS
  [ "$_failed" = 0 ]
}

raise_one() { prlimit --pid "$L_PID" "--nproc=$(raised_pair "$L_PAIR" "$WANTED")"; }
lower_one() { [ "$(limit_of "$L_PID" nproc)" = "$L_PAIR" ] || prlimit --pid "$L_PID" "--nproc=$L_PAIR"; }
is_raised() {
  _now=$(limit_of "$L_PID" nproc)
  AFTER=$AFTER${AFTER:+,}$L_PID:$L_START:$_now
  [ "$_now" = "$(raised_pair "$L_PAIR" "$WANTED")" ]
}
is_lowered() {
  _now=$(limit_of "$L_PID" nproc)
  AFTER=$AFTER${AFTER:+,}$L_PID:$L_START:$_now
  [ "$_now" = "$L_PAIR" ]
}

apply_user_nproc() { if [ "$STEP" = persist ]; then install_file; else for_processes raise_one; fi; }

observe_user_nproc() {
  AFTER=''
  if [ "$STEP" = live ]; then
    for_processes is_raised && [ -n "$AFTER" ]
  else
    AFTER=$WANTED
    is_ours_still
  fi
}

restore_user_nproc() {
  AFTER=''
  if [ "$STEP" = live ]; then
    for_processes lower_one && for_processes is_lowered
  else
    restore_file && AFTER=$BEFORE && is_as_before
  fi
}

undo_guard_user_nproc() {
  if [ "$STEP" = persist ]; then
    own_file "$LIMITS/zz-triagebook-$USER_NAME.conf"
    refuse_foreign_file
    return
  fi
  _tasks=$(tasks_of "$USER_ID")
  for_processes is_room_below || refuse undo_unsafe "in use $_tasks"
  AFTER=''
  [ "$JOURNAL" != applied ] || for_processes is_raised || refuse changed
}

is_room_below() { is_less "$_tasks" "${L_PAIR%:*}"; }

