# swap_file: a new file as swap (live), and its line in fstab (persistent).

parse_swap_file() {
  field path && swap_path && SWAP=$VALUE
  field size_mib && number size_mib && SIZE_MIB=$VALUE && WANTED=$VALUE
}

filesystem_of() { # DIRECTORY -> type of the longest mount point above it
  _best='' _type=''
  while read -r _ _mount _fs _; do
    [ "$_mount" != / ] || _mount=''
    case $1/ in "$_mount"/*) [ ${#_mount} -lt ${#_best} ] || { _best=$_mount _type=$_fs; } ;; esac
  done <"$PROC/self/mounts"
  printf '%s\n' "$_type"
}

is_swapping() { # PATH: in use as swap? S_USED in kB
  S_USED=0
  while read -r _file _ _ _used _; do
    [ "$_file" != "$1" ] || { S_USED=$_used && return 0; }
  done <"$PROC/swaps"
  return 1
}

check_swap_file() {
  if [ "$STEP" = persist ]; then check_swap_line && return; fi
  BEFORE=none
  _dir=${SWAP%/*}
  is_trusted "${_dir:-/}" || refuse file_unsafe "$_dir"
  [ ! -e "$SWAP" ] && [ ! -L "$SWAP" ] || refuse exists
  [ "$SIZE_MIB" -ge 64 ] || refuse out_of_bounds
  [ "$SIZE_MIB" -le 65536 ] && [ "$SIZE_MIB" -le $(($(kilobytes MemTotal) / 512)) ] || refuse out_of_bounds memory # twice the memory
  SWAP_FS=$(filesystem_of "${_dir:-}")
  case $SWAP_FS in ext4 | xfs | btrfs) ;; *) refuse filesystem "$(quote "$SWAP_FS")" ;; esac
  _free=$(df -Pk "${_dir:-/}" | awk 'NR == 2 { print $4 }')
  [ $((SIZE_MIB * 1024 * 11 / 10)) -le "$_free" ] || refuse out_of_bounds disk_space
  SWAP_TEMPORARY=$_dir/.triagebook.${ENTRY##*/}.tmp
  printf '%s\n' "$SWAP_TEMPORARY" >"$ENTRY/temporary" || refuse journal_unwritable
}

check_swap_line() {
  is_swapping "$SWAP" || refuse not_live
  BEFORE=none
  ! grep -qF "$SWAP" "$FSTAB" || refuse exists
  capture_file "$FSTAB"
  { cat "$FSTAB" && { [ -z "$(tail -c 1 "$FSTAB")" ] || echo; } && swap_line; } >"$ENTRY/file.after" || refuse journal_unwritable
}

swap_line() { printf '%s none swap sw,nofail 0 0\n' "$SWAP"; }

apply_swap_file() {
  if [ "$STEP" = persist ]; then
    install_file
    return
  fi
  blank "$SWAP_TEMPORARY" && chmod 600 "$SWAP_TEMPORARY" || return 1
  [ "$SWAP_FS" != btrfs ] || chattr +C "$SWAP_TEMPORARY" || return 1 # a swap file must not be copy-on-write
  fallocate -l $((SIZE_MIB * MIB)) "$SWAP_TEMPORARY" || fill_swap || return 1
  mkswap "$SWAP_TEMPORARY" >/dev/null && mv "$SWAP_TEMPORARY" "$SWAP" || return 1
  swapon "$SWAP" && return 0
  # Some filesystems leave holes where fallocate was: then every block is written.
  SWAP_TEMPORARY=$SWAP
  fill_swap && mkswap "$SWAP" >/dev/null && swapon "$SWAP"
}

fill_swap() { dd if=/dev/zero of="$SWAP_TEMPORARY" bs="$MIB" count="$SIZE_MIB" conv=notrunc; }

observe_swap_file() {
  if [ "$STEP" = persist ]; then
    AFTER=fstab
    is_ours_still
    return
  fi
  is_swapping "$SWAP" && AFTER=$SIZE_MIB
}

restore_swap_file() {
  if [ "$STEP" = persist ]; then
    restore_file && is_as_before && AFTER=none
    return
  fi
  ! is_swapping "$SWAP" || swapoff "$SWAP" || return 1
  rm -f "${SWAP%/*}/.triagebook.${ENTRY##*/}.tmp" "$SWAP" && AFTER=none
}

undo_guard_swap_file() {
  if [ "$STEP" = persist ]; then
    own_file "$FSTAB"
    refuse_foreign_file
    return
  fi
  ! grep -qF "$(swap_line)" "$FSTAB" || refuse undo_order fstab
  is_swapping "$SWAP" || return 0
  [ $((S_USED * 2)) -lt "$(kilobytes MemAvailable)" ] || refuse undo_unsafe "in use $S_USED kB"
  [ "$(sysctl_value vm.overcommit_memory)" != 2 ] ||
    [ $(($(commit_limit_now) - SIZE_MIB * 1024)) -gt $(($(kilobytes Committed_AS) + 262144)) ] || refuse undo_unsafe commit_limit
}

