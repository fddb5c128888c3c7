# unit_memory_max: a unit's memory limit on cgroup v2. Live by systemd's own runtime setting; persistent by our drop-in, named late.

parse_unit_memory_max() {
  field unit && unit_name && UNIT=$VALUE
  field before && { [ "$VALUE" = max ] || number before; } && EXPECTED=$VALUE
  field value && number value && WANTED=$VALUE
}

memory_max_file() {
  if [ "$STEP" = live ]; then
    printf '%s\n' "$(runtime_folder)/$UNIT.d/50-MemoryMax.conf" # where `set-property --runtime` writes
  else
    printf '%s\n' "$UNITS/$UNIT.d/zz-triagebook-MemoryMax.conf"
  fi
}

configured_memory_max() { # what systemd would write; it rounds down to whole pages
  _configured=$(timeout 60 systemctl show -p MemoryMax "$UNIT") || return 1
  _configured=$(printf '%s\n' "$_configured" | sed -n 's/^MemoryMax=//p')
  case $_configured in infinity | 18446744073709551615) printf 'max\n' ;; *) printf '%s\n' "$_configured" ;; esac
}

memory_directory() { printf '%s%s\n' "$CGROUP" "$U_CGROUP"; }

has_memory_cgroup() { [ -n "$U_CGROUP" ] && [ "$U_CGROUP" != / ] && [ -e "$(memory_directory)/memory.max" ]; }

memory_max_now() { if has_memory_cgroup; then cat "$(memory_directory)/memory.max"; else configured_memory_max; fi; }

# What cannot be given back: a limit below it has somebody killed at once.
memory_held() {
  awk '$1 == "anon" || $1 == "shmem" || $1 == "kernel" { sum += $2 } $1 == "slab_reclaimable" { sum -= $2 } END { printf "%.0f\n", sum }' \
    "$(memory_directory)/memory.stat"
}

check_unit_memory_max() {
  case $UNIT in
    docker-*.scope | libpod-*.scope | cri-containerd-*.scope | crio-*.scope | kubepods*.slice) refuse container_unit ;;
  esac
  unit || refuse "$U_WHY" "$U_LOAD"
  BEFORE=$(memory_max_now)
  [ "$BEFORE" = "$EXPECTED" ] || refuse changed "$(quote "$BEFORE")"
  has_memory_cgroup || [ "$STEP" = persist ] || refuse unit_not_active
  is_less "$BEFORE" "$WANTED" || { [ "$STEP" = persist ] && [ "$BEFORE" = "$WANTED" ]; } || refuse out_of_bounds not_higher
  ! has_memory_cgroup || check_memory_room
  capture_file "$(memory_max_file)"
  refuse_later_dropin "${OWN##*/}" MemoryMax
  if [ "$STEP" = persist ]; then
    want_file <<EOF
[$(section "$UNIT")]
MemoryMax=$WANTED
EOF
  else
    [ -d "$(runtime_folder)" ] || blank "$ENTRY/made_control" || refuse journal_unwritable
  fi
}

# More than the host has, or than a group above allows, would only have the host or that group kill instead.
check_memory_room() {
  _dir=$(memory_directory)
  _current=$(cat "$_dir/memory.current")
  [ "$_current" -lt "$WANTED" ] || refuse out_of_bounds below_use
  [ "$WANTED" -le $((($(kilobytes MemAvailable) * 1024 + _current) * 8 / 10)) ] || refuse out_of_bounds available_memory
  while :; do
    _dir=${_dir%/*}
    [ -e "$_dir/memory.max" ] || return 0
    _max=$(cat "$_dir/memory.max")
    [ "$_max" = max ] || [ "$WANTED" -le "$_max" ] || refuse out_of_bounds ancestor_room
  done
}

apply_unit_memory_max() {
  if [ "$STEP" = live ]; then
    control set-property --runtime "$UNIT" "MemoryMax=$WANTED" && cp -a "$OWN" "$ENTRY/file.after"
  else
    install_file && reread_memory_max
  fi
}

# Newer systemd shows the new limit and leaves the cgroup as it is until it next has a reason to write it.
reread_memory_max() {
  control daemon-reload || return 1
  unit || return 0
  ! has_memory_cgroup || _shown=$(configured_memory_max) || return 1
  ! has_memory_cgroup || [ "$(memory_max_now)" = "$_shown" ] || is_below_held "$_shown" ||
    printf '%s\n' "$_shown" >"$(memory_directory)/memory.max"
}

is_below_held() { ! is_less "$(memory_held)" "$1"; } # LIMIT

observe_unit_memory_max() { unit && within_2s memory_max_is "$WANTED"; }

memory_max_is() { # the kernel keeps whole pages
  AFTER=$(memory_max_now)
  [ "$AFTER" = "$1" ] || { [ "$1" != max ] && [ "$AFTER" = $(($1 / 4096 * 4096)) ]; }
}

# Deletes exactly our file: `systemctl revert` would delete the administrator's too.
restore_unit_memory_max() {
  restore_file && reread_memory_max || return 1
  [ ! -e "$ENTRY/made_control" ] || rmdir "$RUNTIME_UNITS"
  is_as_before || return 1
  [ "$U_LOAD" = loaded ] || return 0 # the unit is gone, and its limit with it
  within_2s is_memory_max_configured
}

# What is left decides now: the value before, or what the file of the other step or an administrator says.
is_memory_max_configured() {
  AFTER=$(memory_max_now)
  [ "$AFTER" = "$BEFORE" ] || [ "$AFTER" = "$(configured_memory_max)" ]
}

undo_guard_unit_memory_max() {
  own_file "$(memory_max_file)"
  unit
  refuse_foreign_file
  has_memory_cgroup || return 0
  _held=$(memory_held)
  is_less "$_held" "$BEFORE" || refuse undo_unsafe "in use $_held"
}
