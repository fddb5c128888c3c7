# unit_restart: a service, once, as the instance that was diagnosed. Cannot be undone.

parse_unit_restart() {
  field unit && unit_name && UNIT=$VALUE
  field before && hex 32 before && EXPECTED=$VALUE
}

check_unit_restart() {
  case $UNIT in
    dbus.service | dbus-broker.service) refuse protected ;;
    *.service) ;;
    *) refuse order_value unit ;;
  esac
  unit || refuse "$U_WHY" "$U_LOAD"
  BEFORE=$U_INVOCATION
  [ "$BEFORE" = "$EXPECTED" ] || refuse changed "$(quote "$BEFORE")"
  while IFS= read -r _line; do
    case $_line/ in */"$UNIT"/*) refuse protected own_unit ;; esac
  done <"$PROC/self/cgroup"
}

apply_unit_restart() { timeout 90 systemctl --no-ask-password restart "$UNIT"; }

observe_unit_restart() {
  unit || return 1
  AFTER=$U_INVOCATION
  [ "$U_ACTIVE" = active ] && [ "$AFTER" != "$BEFORE" ]
}

restore_unit_restart() { return 1; }
undo_guard_unit_restart() { refuse no_undo; }

