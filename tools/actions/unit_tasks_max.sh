# unit_tasks_max: a unit's task limit. Live by systemd's own runtime setting; persistent by our drop-in, named late.

parse_unit_tasks_max() {
  field unit && unit_name && UNIT=$VALUE
  field before && { [ "$VALUE" = max ] || number before; } && EXPECTED=$VALUE
  field value && number value && WANTED=$VALUE
}

tasks_max_file() {
  if [ "$STEP" = live ]; then
    printf '%s\n' "$(runtime_folder)/$UNIT.d/50-TasksMax.conf" # where `set-property --runtime` writes
  else
    printf '%s\n' "$UNITS/$UNIT.d/zz-triagebook-TasksMax.conf"
  fi
}

tasks_max_now() { if has_cgroup; then cat "$(cgroup_path)/pids.max"; else printf '%s\n' "$U_TASKS_MAX"; fi; }

check_unit_tasks_max() {
  case $UNIT in
    docker-*.scope | libpod-*.scope | cri-containerd-*.scope | crio-*.scope | kubepods*.slice) refuse container_unit ;;
  esac
  unit || refuse "$U_WHY" "$U_LOAD"
  BEFORE=$(tasks_max_now)
  [ "$BEFORE" = "$EXPECTED" ] || refuse changed "$(quote "$BEFORE")"
  has_cgroup || [ "$STEP" = persist ] || refuse unit_not_active
  is_less "$BEFORE" "$WANTED" || { [ "$STEP" = persist ] && [ "$BEFORE" = "$WANTED" ]; } || refuse out_of_bounds not_higher
  [ "$WANTED" -le "$(half_of_threads_max)" ] || refuse out_of_bounds half_of_threads_max
  ! has_cgroup || check_ancestors
  capture_file "$(tasks_max_file)"
  refuse_later_dropin "${OWN##*/}" TasksMax
  if [ "$STEP" = persist ]; then
    want_file <<EOF
[$(section "$UNIT")]
TasksMax=$WANTED
EOF
  else
    [ -d "$(runtime_folder)" ] || blank "$ENTRY/made_control" || refuse journal_unwritable
  fi
}

section() { # the unit type's own section: [Service], [Slice]...
  case $1 in
    *.service) echo Service ;; *.scope) echo Scope ;; *.slice) echo Slice ;; *.socket) echo Socket ;;
    *.mount) echo Mount ;; *.swap) echo Swap ;;
  esac
}

# More than an ancestor has room for would be a limit that cannot be reached.
check_ancestors() {
  _dir=$(cgroup_path)
  _current=$(cat "$_dir/pids.current")
  [ "$_current" -lt "$WANTED" ] || refuse out_of_bounds below_use
  while :; do
    _dir=${_dir%/*}
    [ -e "$_dir/pids.max" ] || return 0
    _max=$(cat "$_dir/pids.max")
    [ "$_max" = max ] || [ "$WANTED" -le $((_max - $(cat "$_dir/pids.current") + _current)) ] ||
      refuse out_of_bounds ancestor_room
  done
}

apply_unit_tasks_max() {
  if [ "$STEP" = live ]; then
    control set-property --runtime "$UNIT" "TasksMax=$WANTED" && cp -a "$OWN" "$ENTRY/file.after"
  else
    install_file && reread_tasks_max
  fi
}

# systemd 252 applies its files to a running unit when it reads them again; 257 shows the new limit and leaves the cgroup
# as it is until it next has a reason to write it. What it shows is what it would write then.
reread_tasks_max() {
  control daemon-reload || return 1
  unit || return 0
  ! has_cgroup || [ "$(tasks_max_now)" = "$U_TASKS_MAX" ] || printf '%s\n' "$U_TASKS_MAX" >"$(cgroup_path)/pids.max"
}

observe_unit_tasks_max() { unit && within_2s tasks_max_is "$WANTED"; }

tasks_max_is() {
  AFTER=$(tasks_max_now)
  [ "$AFTER" = "$1" ]
}

# Deletes exactly our file: `systemctl revert` would delete the administrator's too, and `TasksMax=` means infinity.
restore_unit_tasks_max() {
  restore_file && reread_tasks_max || return 1
  [ ! -e "$ENTRY/made_control" ] || rmdir "$RUNTIME_UNITS"
  is_as_before || return 1
  [ "$U_LOAD" = loaded ] || return 0 # the unit is gone, and its limit with it
  within_2s is_tasks_max_configured || return 1
  [ "$PHASE" != undoing ] || ! is_back_below_use || refuse_undo_after_all "in use $_current"
}

# What is left decides now: the value before, or what the file of the other step or an administrator says.
is_tasks_max_configured() {
  AFTER=$(tasks_max_now)
  [ "$AFTER" = "$BEFORE" ] || [ "$AFTER" = "$U_TASKS_MAX" ]
}

# Which value comes back is known only when our file is gone: if that is below present use, it is set again.
is_back_below_use() {
  has_cgroup || return 1
  _current=$(cat "$(cgroup_path)/pids.current")
  ! is_less "$_current" "$AFTER"
}

undo_guard_unit_tasks_max() {
  own_file "$(tasks_max_file)"
  unit
  refuse_foreign_file
  has_cgroup || return 0
  _current=$(cat "$(cgroup_path)/pids.current")
  is_less "$_current" "$BEFORE" || refuse undo_unsafe "in use $_current"
}

