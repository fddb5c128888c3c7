# user_memlock: memory that new logins of a user may lock, by a file of ours in limits.d, which counts in KiB.

parse_user_memlock() {
  field user && user_name && USER_NAME=$VALUE
  field uid && number uid && USER_ID=$VALUE
  field before && pair before && EXPECTED=$VALUE
  field value && number value && WANTED=$VALUE
}

check_user_memlock() {
  [ "$USER_ID" -ne 0 ] || refuse exempt
  [ "$(id -u "$USER_NAME")" = "$USER_ID" ] || refuse other_user
  BEFORE=$EXPECTED
  is_less "${BEFORE%:*}" "$WANTED" || refuse out_of_bounds not_higher
  [ "$WANTED" -le $(($(kilobytes MemTotal) * 512)) ] || refuse out_of_bounds memory # half of it: it is never swapped
  capture_limits_file memlock "$LIMITS/zz-triagebook-$USER_NAME-memlock.conf"
  _pair=$(raised_pair "$EXPECTED" "$WANTED")
  want_limits memlock "$(kib_up "${_pair%:*}"):$(kib_up "${_pair#*:}")"
}

kib_up() { if [ "$1" = unlimited ]; then echo unlimited; else echo $((($1 + 1023) / 1024)); fi; } # BYTES

apply_user_memlock() { install_file; }

observe_user_memlock() {
  AFTER=$WANTED
  is_ours_still
}

restore_user_memlock() { restore_file && AFTER=$BEFORE && is_as_before; }

undo_guard_user_memlock() {
  own_file "$LIMITS/zz-triagebook-$USER_NAME-memlock.conf"
  refuse_foreign_file
}

