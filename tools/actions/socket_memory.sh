# socket_memory: tcp_mem or udp_mem, three figures of pages as a whole. Live by writing them; persistent by a file of our own.

parse_socket_memory() {
  field key && word_of_socket_memory_key && KEY=$VALUE
  field before && figures before 3 && EXPECTED=$VALUE
  field value && figures value 3 && WANTED=$VALUE
}

figures() { # NAME COUNT: A:B or A:B:C
  case $VALUE in :* | *: | *::*) refuse order_value "$1" ;; esac
  _left=$2
  IFS=:
  for _one in $VALUE; do
    is_number "$_one" || refuse order_value "$1"
    _left=$((_left - 1))
  done
  unset IFS
  [ "$_left" -eq 0 ] || refuse order_value "$1"
}

# As a kernel file has them. Builtins only: putting back must not need a process.
spaced() { # A:B:C
  IFS=:
  # shellcheck disable=SC2086 # split at the colons
  set -- $1
  unset IFS
  printf '%s\n' "$*"
}

figure() { # A:B:C N
  _number=$2
  IFS=:
  # shellcheck disable=SC2086 # split at the colons
  set -- $1
  unset IFS
  shift $((_number - 1))
  printf '%s\n' "$1"
}

figures_now() { # KEY -> A:B:C
  # shellcheck disable=SC2046 # split at the tabs
  set -- $(sysctl_value "$1")
  [ $# -gt 1 ] || return 1
  printf '%s:%s%s\n' "$1" "$2" "${3:+:$3}"
}

check_socket_memory() {
  KEY_PATH=$(sysctl_path "$KEY")
  BEFORE=$(figures_now "$KEY") || refuse unreadable # inside of a container: it is a limit of the host
  [ "$BEFORE" = "$EXPECTED" ] || refuse changed "$(quote "$BEFORE")"
  if [ "$STEP" = persist ]; then
    [ "$WANTED" = "$BEFORE" ] || refuse not_live
    check_sysctl_file "$(spaced "$WANTED")"
    return
  fi
  for _which in 1 2 3; do
    [ "$(figure "$WANTED" "$_which")" -ge "$(figure "$BEFORE" "$_which")" ] || refuse out_of_bounds not_higher
  done
  _most=$(figure "$WANTED" 3)
  [ "$_most" -gt "$(figure "$BEFORE" 3)" ] || refuse out_of_bounds not_higher
  [ "$(figure "$WANTED" 1)" -lt "$(figure "$WANTED" 2)" ] && [ "$(figure "$WANTED" 2)" -lt "$_most" ] || refuse out_of_bounds order
  _used=$(socket_pages)
  [ "$_most" -gt $((_used + _used / 5)) ] || refuse out_of_bounds below_use
  _page=$(getconf PAGESIZE) || _page=4096
  [ $((_most * (_page / 1024))) -le $(($(kilobytes MemTotal) / 4)) ] || refuse out_of_bounds memory # a quarter of memory
}

socket_pages() { # in use now
  case $KEY in *.tcp_mem) _wanted=TCP: ;; *) _wanted=UDP: ;; esac
  while read -r _family _rest; do
    [ "$_family" != "$_wanted" ] || printf '%s\n' "${_rest##* }" # "inuse 15 ... mem 115"
  done <"$PROC/net/sockstat"
}

apply_socket_memory() { if [ "$STEP" = persist ]; then install_file; else spaced "$WANTED" >"$KEY_PATH"; fi; }

observe_socket_memory() {
  AFTER=$(figures_now "$KEY")
  [ "$AFTER" = "$WANTED" ] && { [ "$STEP" = live ] || is_ours_still; }
}

restore_socket_memory() {
  if [ "$STEP" = persist ]; then
    restore_file && is_as_before || return 1
    AFTER=$(figures_now "$KEY")
    return
  fi
  spaced "$BEFORE" >"$KEY_PATH" || return 1
  if [ "$PHASE" = changing ]; then AFTER=$BEFORE; else AFTER=$(figures_now "$KEY") && [ "$AFTER" = "$BEFORE" ]; fi
}

undo_guard_socket_memory() {
  KEY_PATH=$(sysctl_path "$KEY")
  if [ "$STEP" = persist ]; then
    own_file "${SYSCTL_DIRS%%:*}/99-zz-triagebook-$KEY.conf"
    refuse_foreign_file
    return
  fi
  [ "$JOURNAL" != applied ] || [ "$(figures_now "$KEY")" = "$WANTED" ] || refuse changed "$(quote "$(figures_now "$KEY")")"
  _used=$(socket_pages) # above the second figure the host would be under pressure at once
  [ "$_used" -lt "$(figure "$BEFORE" 2)" ] || refuse undo_unsafe "in use $_used"
}

