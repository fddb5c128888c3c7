# ----------------------------------------------------------------------------------------------- which host, and when

# The id was drawn at install and is tied to the machine: a disk copied to another machine is another target.
identify() {
  is_trusted "$CONFIG/target" || refuse target_unsafe
  { IFS= read -r _id && IFS= read -r _machine && IFS= read -r _product; } <"$CONFIG/target" || refuse target_malformed
  TARGET=${_id#target=}
  case $TARGET in *[!0-9a-f]*) refuse target_malformed ;; esac
  [ ${#TARGET} -eq 32 ] || refuse target_malformed
  [ "${_machine#machine=}" = "$(cat "$MACHINE_ID")" ] || refuse target_moved machine
  case ${_product#product=} in
    none) ;;
    "$(cat "$PRODUCT_ID")") ;;
    *) refuse target_moved product ;;
  esac
  BOOT=$(cat "$PROC/sys/kernel/random/boot_id") || refuse boot_unreadable
  NOW=$(date +%s) || refuse clock
}

check_envelope() {
  [ "$WANTED_TARGET" = "$TARGET" ] || refuse other_target
  [ "$WANTED_BOOT" = "$BOOT" ] || refuse other_boot
  [ "$EXPIRES" -gt "$ISSUED" ] && [ $((EXPIRES - ISSUED)) -le "$LIFE_MAX_S" ] || refuse life_too_long
  [ "$NOW" -ge $((ISSUED - CLOCK_SLACK_S)) ] || refuse not_yet_valid
  [ "$NOW" -le "$EXPIRES" ] || refuse expired
}

# Asked again right before the change: the disk, a lock or whoever stopped this process may have taken long.
is_in_time() { NOW=$(date +%s) && [ "$NOW" -le "$EXPIRES" ]; }

lock() {
  printf '' >>"$RUN/lock" || refuse spool_unwritable
  exec 9>>"$RUN/lock" # children keep it: after a kill of this shell the host stays locked until they have ended
  # `status` holds it for a moment: who only looks at the host must not have an order refused.
  _tries=5
  until flock -n 9; do
    _tries=$((_tries - 1))
    [ "$_tries" -gt 0 ] || refuse busy
  done
}

# Four processes at once, as many as any change here needs. Without them a change could end half-way.
probe_forks() {
  # shellcheck disable=SC2030 # only the forks matter
  ( ( ( ( : ) || exit 1; : ) || exit 1; : ) || exit 1; : ) || refuse fork
  FAILURE=died
}

