# sysctl: one of the kernel values that sysctl.py lists. Live by writing it; persistent by a file of our own for that key.

parse_sysctl() {
  field key && word_of_sysctl_key && KEY=$VALUE
  field before && number before && EXPECTED=$VALUE
  field value && number value && WANTED=$VALUE
}

check_sysctl() {
  prepare_sysctl
  BEFORE=$(sysctl_value "$KEY") || refuse unreadable
  [ "$BEFORE" = "$EXPECTED" ] || refuse changed "$(quote "$BEFORE")"
  if [ "$STEP" = persist ]; then
    [ "$WANTED" = "$BEFORE" ] || refuse not_live # what was not tried live is not made permanent
    case $KEY in net.netfilter.*) refuse_late_module nf_conntrack ;; esac
    check_sysctl_file "$WANTED"
    return
  fi
  [ "$WANTED" != "$BEFORE" ] || refuse no_change
  case $KEY in
    vm.overcommit_*) check_overcommit ;;
    *) [ "$WANTED" -gt "$BEFORE" ] || refuse out_of_bounds not_higher ;;
  esac
  case $KEY in
    vm.max_map_count) [ "$WANTED" -le 2147483647 ] || refuse out_of_bounds ;;
    kernel.pid_max) [ "$WANTED" -le "$(highest_pid_max)" ] || refuse out_of_bounds ;;
    kernel.threads-max)
      [ "$WANTED" -gt "$(live_tasks)" ] || refuse out_of_bounds below_use
      [ "$WANTED" -le $(($(kilobytes MemTotal) / 64)) ] || refuse out_of_bounds memory # 64 KiB of memory a task
      ;;
    fs.* | net.*) check_table ;;
  esac
}

# The path, known before anything changes: putting back must not need a process.
prepare_sysctl() { KEY_PATH=$(sysctl_path "$KEY") RATIO_PATH=$(sysctl_path vm.overcommit_ratio) KBYTES_PATH=$(sysctl_path vm.overcommit_kbytes); }

highest_pid_max() { case $(uname -m) in *64 | *64[lb]e | s390x | aarch64*) echo 4194304 ;; *) echo 32768 ;; esac; }

# Strict overcommit only ever gets wider here: mode 0, a higher ratio, or more kbytes.
check_overcommit() {
  EXTRA=$(sysctl_value vm.overcommit_memory):$(sysctl_value vm.overcommit_ratio):$(sysctl_value vm.overcommit_kbytes)
  [ "${EXTRA%%:*}" = 2 ] || refuse no_effect not_strict
  case $KEY in
    vm.overcommit_memory)
      [ "$WANTED" = 0 ] || refuse out_of_bounds
      return
      ;;
    vm.overcommit_ratio) [ "$WANTED" -le 100 ] || refuse out_of_bounds ;;
    vm.overcommit_kbytes) [ "$WANTED" -le "$(ordinary_kb)" ] || refuse out_of_bounds memory ;;
  esac
  _limit=$(commit_limit "$KEY" "$WANTED")
  [ "$_limit" -gt "$(commit_limit_now)" ] || refuse out_of_bounds not_higher
  [ "$_limit" -gt "$(kilobytes Committed_AS)" ] || refuse out_of_bounds below_use
}

ordinary_kb() { # memory that is not in huge pages
  _huge=$(kilobytes Hugetlb) # kernels before 4.19 lack it
  [ "$_huge" -gt 0 ] || _huge=$(($(kilobytes HugePages_Total) * $(kilobytes Hugepagesize)))
  echo $(($(kilobytes MemTotal) - _huge))
}

commit_limit() { # KEY VALUE -> kB: what CommitLimit would be
  case $1 in
    vm.overcommit_kbytes) echo $(($2 + $(kilobytes SwapTotal))) ;;
    *) echo $(($(ordinary_kb) * $2 / 100 + $(kilobytes SwapTotal))) ;;
  esac
}

commit_limit_now() {
  _kbytes=$(sysctl_value vm.overcommit_kbytes)
  if [ "$_kbytes" -gt 0 ]; then
    commit_limit vm.overcommit_kbytes "$_kbytes"
  else
    commit_limit vm.overcommit_ratio "$(sysctl_value vm.overcommit_ratio)"
  fi
}

# The files of sysctl.d are applied before a firewall loads its modules: of one that is not loaded before them, too, the
# value would be the kernel's own again after a boot (sysctl.d(5), modules-load.d(5)). What is built in has no initstate.
refuse_late_module() {
  [ -e "$MODULES/$1/initstate" ] || return 0
  set +f
  IFS=:
  for _dir in $MODULES_DIRS; do
    unset IFS
    for _file in "$_dir"/*.conf; do
      if [ -e "$_file" ] && grep -qE "^[[:space:]]*$1[[:space:]]*\$" "$_file"; then
        set -f
        return 0
      fi
    done
  done
  unset IFS
  set -f
  refuse loaded_late "$1 is not in ${MODULES_DIRS%%:*}"
}

check_sysctl_file() { # VALUE as it stands in the file, its figures separated by spaces
  _pattern="^[[:space:]]*-?$(printf '%s' "$KEY" | sed 's/[.]/[.\/]/')[[:space:]]*="
  capture_file "${SYSCTL_DIRS%%:*}/99-zz-triagebook-$KEY.conf"
  set +f
  IFS=:
  for _dir in $SYSCTL_DIRS; do
    unset IFS
    for _file in "$_dir"/*.conf; do
      [ -e "$_file" ] && [ "$_file" != "$OWN" ] || continue
      [ "$(printf '%s\n%s\n' "${OWN##*/}" "${_file##*/}" | sort | sed -n '$p')" != "${OWN##*/}" ] || continue
      ! grep -qE "$_pattern" "$_file" || refuse overridden "$(quote "$_file")"
    done
  done
  unset IFS
  set -f
  # procps applies this one after all of sysctl.d; the same value there does no harm
  [ ! -e "$SYSCTL_CONF" ] || ! grep -E "$_pattern" "$SYSCTL_CONF" | grep -qvE "=[[:space:]]*$(printf '%s' "$1" | sed 's/ /[[:space:]]+/g')[[:space:]]*$" ||
    refuse overridden "$SYSCTL_CONF"
  want_file <<EOF
$KEY = $1
EOF
}

apply_sysctl() {
  if [ "$STEP" = persist ]; then install_file; else printf '%s\n' "$WANTED" >"$KEY_PATH"; fi
}

observe_sysctl() {
  AFTER=$(sysctl_value "$KEY")
  [ "$AFTER" = "$WANTED" ] && { [ "$STEP" = live ] || is_ours_still; }
}

restore_sysctl() {
  if [ "$STEP" = persist ]; then
    restore_file && is_as_before || return 1
    AFTER=$(sysctl_value "$KEY")
    return "$?" # never bare where an EXIT trap may come by: in bash it would be the status from before the trap
  fi
  write_back || return 1
  if [ "$PHASE" = changing ]; then # the change failed or was cut, perhaps for want of a process to read it with
    AFTER=$BEFORE
  else
    AFTER=$(sysctl_value "$KEY") && [ "$AFTER" = "$BEFORE" ]
  fi
}

# Builtins only. Ratio and kbytes exclude each other: writing the one that was not zero brings both back.
write_back() {
  _path=$KEY_PATH _value=$BEFORE
  case $KEY in
    vm.overcommit_ratio | vm.overcommit_kbytes)
      _rest=${EXTRA#*:}
      if [ "${_rest#*:}" != 0 ]; then _path=$KBYTES_PATH _value=${_rest#*:}; else _path=$RATIO_PATH _value=${_rest%:*}; fi
      ;;
  esac
  printf '%s\n' "$_value" >"$_path"
}

undo_guard_sysctl() {
  prepare_sysctl
  if [ "$STEP" = persist ]; then
    own_file "${SYSCTL_DIRS%%:*}/99-zz-triagebook-$KEY.conf"
    refuse_foreign_file
    return
  fi
  [ "$JOURNAL" != applied ] || [ "$(sysctl_value "$KEY")" = "$WANTED" ] || refuse changed "$(quote "$(sysctl_value "$KEY")")"
  case $KEY in
    kernel.*) # a host with no room for another task lets nobody in
      _tasks=$(live_tasks)
      [ "$_tasks" -lt $((BEFORE - 300)) ] || refuse undo_unsafe "in use $_tasks"
      ;;
    vm.overcommit_*)
      _rest=${EXTRA#*:}
      if [ "${_rest#*:}" != 0 ]; then
        _limit=$(commit_limit vm.overcommit_kbytes "${_rest#*:}")
      else
        _limit=$(commit_limit vm.overcommit_ratio "${_rest%:*}")
      fi
      _used=$(kilobytes Committed_AS)
      [ "$_limit" -gt $((_used + 262144)) ] || refuse undo_unsafe "in use $_used kB"
      ;;
    vm.max_map_count) refuse_larger_maps ;;
    fs.* | net.*)
      _used=$(used_of_table)
      # Below its use plus a quarter, fs.file-max locks every login out but root's.
      [ "$KEY" != fs.file-max ] || _used=$((_used + _used / 4))
      [ "$_used" -lt "$BEFORE" ] || refuse undo_unsafe "in use $_used"
      ;;
  esac
}

# Limits of the host as a whole belong to the host: inside of a container they are not there, or not its own.
check_table() {
  case $KEY in
    fs.file-max)
      _used=$(used_of_table)
      [ "$WANTED" -gt $((_used + _used / 10)) ] || refuse out_of_bounds below_use
      ;;
    net.ipv4.tcp_max_orphans) # each may hold 64 KiB that cannot be swapped: a quarter of memory at most
      [ "$WANTED" -le $(($(kilobytes MemTotal) / 256)) ] || refuse out_of_bounds memory
      ;;
    net.netfilter.nf_conntrack_max) # 400 bytes each: an eighth of memory at most
      [ "$WANTED" -le $(($(kilobytes MemTotal) * 1024 / 8 / 400)) ] || refuse out_of_bounds memory
      ;;
    fs.inotify.max_user_watches) # 1 KiB each: a quarter of memory at most
      [ "$WANTED" -le $(($(kilobytes MemTotal) / 4)) ] || [ "$WANTED" -le 524288 ] || refuse out_of_bounds memory
      ;;
  esac
}

# How much of the limit is in use: 0 where the kernel shows no count, and a running listener keeps its own.
used_of_table() {
  case $KEY in
    fs.file-max)
      # shellcheck disable=SC2046 # split at the tabs: used, 0, maximum
      set -- $(sysctl_value fs.file-nr)
      echo "$1"
      ;;
    fs.aio-max-nr) sysctl_value fs.aio-nr ;;
    fs.inotify.max_user_instances) most_inotify ;;
    fs.inotify.max_user_watches) most_watches ;;
    net.ipv4.tcp_max_orphans)
      while read -r _family _ _ _ _count _; do [ "$_family" != TCP: ] || echo "$_count"; done <"$PROC/net/sockstat"
      ;;
    net.netfilter.nf_conntrack_max) sysctl_value net.netfilter.nf_conntrack_count ;;
    *) echo 0 ;;
  esac
}

inotify_links() { # FORMAT of find
  set +f
  find "$PROC"/[0-9]*/fd -mindepth 1 -maxdepth 1 -lname 'anon_inode:inotify' -printf "$1" 2>/dev/null
  set -f
}

# The most instances of one user; shared ones count twice, which is on the safe side.
most_inotify() { inotify_links '%U\n' | sort | uniq -c | sort -n | awk 'END { print $1 + 0 }'; }

most_watches() {
  inotify_links '%U %h/../fdinfo/%f\n' | awk '{ while ((getline line < $2) > 0) { if (line ~ /^inotify wd:/) sum[$1]++ }; close($2) }
    END { for (user in sum) if (sum[user] > most) most = sum[user]; print most + 0 }'
}

# A process above the old limit would fail at its next mapping. Each mapping covers a page at least, so most are
# cleared by their size; only the rest are counted, because counting takes the process's memory lock.
refuse_larger_maps() {
  _page=$(getconf PAGESIZE) || _page=4096
  _floor=$((BEFORE * (_page / 1024)))
  set +f
  for _dir in "$PROC"/[0-9]*; do
    set -f
    process "${_dir##*/}" && [ "$P_KB" -ge "$_floor" ] || continue
    _maps=$(wc -l <"$_dir/maps") || continue
    [ "$_maps" -lt "$BEFORE" ] || refuse undo_unsafe "in use $_maps by ${_dir##*/}"
  done
  set -f
}

