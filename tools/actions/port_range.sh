# port_range: the local ports that the kernel gives out. Only ever widened, and over no port that somebody listens on.

parse_port_range() {
  field key && one_of key net.ipv4.ip_local_port_range && KEY=$VALUE
  field before && figures before 2 && EXPECTED=$VALUE
  field value && figures value 2 && WANTED=$VALUE
}

check_port_range() {
  KEY_PATH=$(sysctl_path "$KEY")
  BEFORE=$(figures_now "$KEY") || refuse unreadable
  [ "$BEFORE" = "$EXPECTED" ] || refuse changed "$(quote "$BEFORE")"
  if [ "$STEP" = persist ]; then
    [ "$WANTED" = "$BEFORE" ] || refuse not_live
    check_sysctl_file "$(spaced "$WANTED")"
    return
  fi
  [ "$WANTED" != "$BEFORE" ] || refuse no_change
  [ "${WANTED%:*}" -le "${BEFORE%:*}" ] && [ "${WANTED#*:}" -ge "${BEFORE#*:}" ] || refuse out_of_bounds not_higher
  [ "${WANTED%:*}" -ge 1024 ] && [ "${WANTED#*:}" -le 65535 ] || refuse out_of_bounds
  _port=$(listener_between) || refuse unreadable listeners
  [ -z "$_port" ] || refuse out_of_bounds "listener $_port"
}

# A port that somebody listens on now, in what would be added, and that is not reserved. A restart of it would find it taken.
listener_between() {
  awk -v low="${WANTED%:*}" -v high="${WANTED#*:}" -v old_low="${BEFORE%:*}" -v old_high="${BEFORE#*:}" \
    -v reserved="$(sysctl_value net.ipv4.ip_local_reserved_ports)" -v proc="$PROC" '
    function port_of(text,   i, sum) {
      for (i = 1; i <= 4; i++) sum = sum * 16 + index("123456789ABCDEF", substr(text, i, 1))
      return sum
    }
    BEGIN {
      count = split(reserved, part, ",")
      for (i = 1; i <= count; i++) {
        if (split(part[i], bound, "-") < 2) bound[2] = bound[1]
        for (port = bound[1] + 0; port <= bound[2] + 0; port++) kept[port] = 1
      }
      got = -1
      for (i = 1; i <= 2; i++) {
        file = proc "/net/tcp" (i == 2 ? "6" : "")
        while ((getline line < file) > 0) {
          got = 0
          if (split(line, field) < 4 || field[4] != "0A") continue
          port = port_of(substr(field[2], length(field[2]) - 3))
          if (port >= low && port <= high && (port < old_low || port > old_high) && !(port in kept)) { print port; exit 0 }
        }
        close(file)
      }
      exit -got
    }'
}

apply_port_range() { apply_socket_memory; }
observe_port_range() { observe_socket_memory; }
restore_port_range() { restore_socket_memory; }

undo_guard_port_range() { # connections that have a port keep it: nothing in use is taken away
  KEY_PATH=$(sysctl_path "$KEY")
  if [ "$STEP" = persist ]; then
    own_file "${SYSCTL_DIRS%%:*}/99-zz-triagebook-$KEY.conf"
    refuse_foreign_file
    return
  fi
  [ "$JOURNAL" != applied ] || [ "$(figures_now "$KEY")" = "$WANTED" ] || refuse changed "$(quote "$(figures_now "$KEY")")"
}

