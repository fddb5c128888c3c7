# unit_limit: LimitNPROC=, LimitMEMLOCK= or another limit by a drop-in of ours. It takes effect when the service is next started.

parse_unit_limit() {
  field unit && unit_name && UNIT=$VALUE
  field resource && word_of_unit_limit_resource && RESOURCE=$VALUE
  field before && pair before && EXPECTED=$VALUE
  field value && number value && WANTED=$VALUE
}

limit_setting() { printf 'Limit%s\n' "$(printf '%s' "$RESOURCE" | tr '[:lower:]' '[:upper:]')"; }
unit_limit_now() { shown_limit "$(limit_setting)"; }
unit_limit_file() { printf '%s\n' "$UNITS/$UNIT.d/zz-triagebook-$(limit_setting).conf"; }

check_unit_limit() {
  case $UNIT in *.service) ;; *) refuse order_value unit ;; esac
  unit || refuse "$U_WHY" "$U_LOAD"
  BEFORE=$(unit_limit_now)
  [ "$BEFORE" = "$EXPECTED" ] || refuse changed "$(quote "$BEFORE")"
  is_less "${BEFORE%:*}" "$WANTED" || refuse out_of_bounds not_higher
  check_resource
  capture_file "$(unit_limit_file)"
  refuse_later_dropin "${OWN##*/}" "$(limit_setting)"
  want_file <<EOF
[Service]
$(limit_setting)=$(raised_pair "$BEFORE" "$WANTED" | sed 's/unlimited/infinity/')
EOF
}

apply_unit_limit() { install_file && control daemon-reload; }

observe_unit_limit() {
  unit || return 1
  AFTER=$(unit_limit_now)
  [ "$AFTER" = "$(raised_pair "$BEFORE" "$WANTED")" ]
}

restore_unit_limit() {
  restore_file && control daemon-reload && is_as_before || return 1
  unit || return 0
  AFTER=$(unit_limit_now)
  [ "$AFTER" = "$BEFORE" ]
}

undo_guard_unit_limit() {
  own_file "$(unit_limit_file)"
  refuse_foreign_file
}

