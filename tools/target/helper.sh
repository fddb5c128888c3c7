#!/bin/sh
# triagebook helper: applies one signed, typed change on this host, or undoes one. POSIX sh (dash, bash, busybox sh).
#
# What it does to a host: exactly one of the changes named in "actions" below, with values inside the bounds given
# there, after the order's signature, target, boot, age and single use were checked. Nothing else. It takes no
# argument; the order and its signature come on standard input; the answer is key=value lines on standard output.
#
#   standard input    order lines (LF, at most 8 KiB with the signature), then an armoured SSH signature of them.
#                     `action=status` is read-only and needs no signature.
#   result=           applied | undone | refused (nothing changed) | failed (tried, put back) | unknown (half-applied) | status
#   exit status       0 applied, undone, status; 3 refused; 4 failed; 5 unknown
#
# Order of work: spool -> signature -> parse the verified file -> target, boot, clock -> lock -> fork probe -> claim
# the id (mkdir, synced) -> guards -> capture -> change -> re-read -> journal -> answer.

# shellcheck disable=SC2015 # `a && b || refuse`: b only tests, and refuse ends the program either way
# shellcheck disable=SC2317 # reached by name: "check_$ACTION", and by the EXIT trap

# >>> constants: tools/target/build.py replaces values here for tests; what is installed has these literals
PATH=/usr/sbin:/usr/bin:/sbin:/bin
CONFIG=/etc/triagebook
STATE=/var/lib/triagebook
RUN=/run/triagebook
PROC=/proc
CGROUP=/sys/fs/cgroup
UNITS=/etc/systemd/system
RUNTIME_UNITS=/run/systemd/system.control
SYSCTL_DIRS=/etc/sysctl.d:/run/sysctl.d:/usr/local/lib/sysctl.d:/usr/lib/sysctl.d:/lib/sysctl.d
SYSCTL_CONF=/etc/sysctl.conf
LIMITS=/etc/security/limits.d
PAM=/etc/pam.d
FSTAB=/etc/fstab
MACHINE_ID=/etc/machine-id
PRODUCT_ID=/sys/class/dmi/id/product_uuid
INPUT_WAIT_S=30
# <<< constants
VERSION=helper-v1
FORMAT=triagebook-order-v1 # also the signature's namespace
SIGNER=triagebook
INPUT_MAX=8192       # bytes of order and signature
LIFE_MAX_S=120       # an order lives no longer than this
CLOCK_SLACK_S=30     # the server refuses a larger skew before it signs
KEEP_S=86400         # an id is remembered this long after it expired
MIB=1048576

export PATH
export LC_ALL=C
unset ENV BASH_ENV CDPATH IFS
umask 077
set -fu
exec 2>/dev/null # nothing a host or a program says reaches the caller except through `quote`
trap '' HUP PIPE # a cut connection must not stop a change half-way

PHASE=start ID='' ACTION='' STEP='' BEFORE='' AFTER='' WANTED='' JOURNAL=none DETAIL='' SPOOL='' ENTRY='' REPORTED=''
TARGET='' BOOT='' NOW='' UNDOES='' EXTRA='' RUNNING='' ORDERED='' CLAIMED=''

# ---------------------------------------------------------------------------------------------------- answering

# One answer, always ended by `end=`: a reader that misses the last line knows it was cut.
report() { # RESULT REASON
  REPORTED=1
  printf '%s\n' "triagebook=$VERSION" "result=$1" "reason=$2" "detail=$DETAIL" "id=$ID" "action=$ORDERED" "step=$STEP" \
    "before=$BEFORE" "after=$AFTER" "journal=$JOURNAL" "running=$RUNNING" "target=$TARGET" "boot=$BOOT" "now=$NOW" "end=$VERSION"
}

# Text of a program or file, made safe for one value line.
quote() { printf '%s' "$1" | tr '\n' ' ' | tr -cd 'A-Za-z0-9 ._:@,/=()-' | cut -c1-160; }

refuse() { # REASON [DETAIL]: nothing was changed
  DETAIL=${2:-}
  [ -z "$CLAIMED" ] || { ENTRY=$CLAIMED && mark "refused:$1"; }
  PHASE=ended
  report refused "$1"
  exit 3
}

# Every exit passes here, also that of a shell that could not fork: dash ends at once then. So what must happen
# comes first and uses builtins: put back what can be put back, answer; then the rest.
finish() {
  _status=$?
  trap - EXIT
  trap '' TERM INT
  case $PHASE in
    changing) put_back ;;
    undoing) report unknown "$FAILURE" && _status=5 ;; # the journal says `undoing`: another undo goes on from there
    *) [ -n "$REPORTED" ] || { report refused "$FAILURE" && _status=3; } ;; # nothing was changed
  esac
  [ -z "$SPOOL" ] || rm -rf "$SPOOL"
  exit "$_status"
}
trap finish EXIT
trap 'exit 4' TERM INT

# A file made or emptied. Not `:`, a special builtin, whose failed redirection ends dash instead of failing.
blank() { printf '' >"$1"; }

# ------------------------------------------------------------------------------------------- order on standard input

FAILURE=fork # until the fork probe has passed, dying means that a process could not be started (dash ends at once)

spool() {
  [ -d "$RUN" ] || mkdir -p "$RUN" || refuse spool_unwritable
  is_trusted "$RUN" || refuse run_unsafe
  SPOOL=$(mktemp -d "$RUN/spool.XXXXXX") || refuse spool_unwritable
  blank "$SPOOL/input" || refuse spool_unwritable
  timeout "$INPUT_WAIT_S" head -c $((INPUT_MAX + 1)) >"$SPOOL/input" || {
    [ $? -ne 124 ] || refuse input_slow # its end never came: nobody may hold a root process open
    refuse spool_unwritable
  }
  [ "$(wc -c <"$SPOOL/input")" -le "$INPUT_MAX" ] || refuse too_long
  [ -s "$SPOOL/input" ] || refuse empty
  # The space is for the two marker lines only; the order's own check below is narrower.
  [ -z "$(tr -d 'A-Za-z0-9=._:@,/\\+\n -' <"$SPOOL/input" | tr '\000' x | head -c 1)" ] || refuse characters
  [ -z "$(tail -c 1 "$SPOOL/input")" ] || refuse no_final_newline
  sed '/^-----BEGIN SSH SIGNATURE-----$/,$d' "$SPOOL/input" >"$SPOOL/order" || refuse spool_unwritable
  sed -n '/^-----BEGIN SSH SIGNATURE-----$/,$p' "$SPOOL/input" >"$SPOOL/signature" || refuse spool_unwritable
  [ -s "$SPOOL/order" ] || refuse empty
  [ -z "$(tr -d 'A-Za-z0-9=._:@,/\\\n-' <"$SPOOL/order" | head -c 1)" ] || refuse characters
}

# Root owns it and everything above it, none of it a link, none writable by group or others.
is_trusted() { # PATH
  _paths=$1 _path=$1
  while [ "$_path" != / ]; do
    _path=${_path%/*}
    _path=${_path:-/}
    _paths="$_paths $_path"
  done
  # shellcheck disable=SC2086 # our own constant paths, split on purpose
  _modes=$(stat -c '%u:%a:%F' $_paths) || return 1
  while read -r _mode; do
    case $_mode in
      0:*[2367]?:* | 0:*[2367]:*) return 1 ;;
      0:*:directory | 0:*:'regular file' | 0:*:'regular empty file') ;;
      *) return 1 ;;
    esac
  done <<EOF
$_modes
EOF
}

# OpenSSH knows `valid-before` only from 8.8 and UTC in it only from 9.1, and ignores neither: an older one rejects
# the line. So we require the option, judge it here, and hand ssh-keygen the lines in force without it.
signers_in_force() {
  is_trusted "$CONFIG/signers" || refuse signers_unsafe
  is_trusted "$CONFIG/revoked" || refuse revoked_unsafe
  _today=$(date -u +%Y%m%d%H%M%S) || refuse clock
  blank "$SPOOL/signers" || refuse spool_unwritable
  while IFS= read -r _line || [ -n "$_line" ]; do
    case $_line in
      '' | '#'*) continue ;;
      "$SIGNER namespaces=\"$FORMAT\",valid-before=\""[0-9]*'Z" ssh-ed25519 AAAA'*) ;;
      *) refuse signers_malformed ;;
    esac
    _until=${_line#*valid-before=\"}
    _key=${_until#*Z\" }
    _until=${_until%%Z\"*}
    case $_until in *[!0-9]*) refuse signers_malformed ;; esac
    [ ${#_until} -eq 14 ] || refuse signers_malformed
    case $_key in *[!A-Za-z0-9+/=\ .@_-]*) refuse signers_malformed ;; esac
    [ "$_until" -gt "$_today" ] || continue
    printf '%s namespaces="%s" %s\n' "$SIGNER" "$FORMAT" "$_key" >>"$SPOOL/signers" || refuse spool_unwritable
  done <"$CONFIG/signers"
  [ -s "$SPOOL/signers" ] || refuse no_signer_in_force
}

verify() {
  [ -s "$SPOOL/signature" ] || refuse signature_missing
  [ "$(sed -n '$p' "$SPOOL/signature")" = '-----END SSH SIGNATURE-----' ] || refuse signature_malformed
  [ -z "$(sed '1d;$d' "$SPOOL/signature" | tr -d 'A-Za-z0-9+/=\n' | head -c 1)" ] || refuse signature_malformed
  signers_in_force
  ssh-keygen -Y verify -f "$SPOOL/signers" -r "$CONFIG/revoked" -I "$SIGNER" -n "$FORMAT" -s "$SPOOL/signature" \
    <"$SPOOL/order" >/dev/null || refuse signature_invalid
}

# ------------------------------------------------------------------------------------------------- the order's grammar

# The next line must be NAME=value; anything reordered, doubled, missing or added is found here.
field() { # NAME -> VALUE
  IFS= read -r VALUE <&3 || refuse order_fields "$1"
  case $VALUE in "$1"=?*) VALUE=${VALUE#*=} ;; *) refuse order_fields "$1" ;; esac
  case $VALUE in -* | *..* | *=*) refuse order_value "$1" ;; esac
}

hex() { # LENGTH NAME
  case $VALUE in *[!0-9a-f]*) refuse order_value "$2" ;; esac
  [ ${#VALUE} -eq "$1" ] || refuse order_value "$2"
}

is_number() { # a positive decimal number that 64-bit arithmetic holds, written one way only
  case $1 in 0) return 0 ;; '' | 0* | *[!0-9]*) return 1 ;; esac
  [ ${#1} -le 16 ]
}

number() { is_number "$VALUE" || refuse order_value "$1"; } # NAME

is_limit() { [ "$1" = unlimited ] || is_number "$1"; }

pair() { # NAME: SOFT:HARD
  case $VALUE in *:*:* | :* | *:) refuse order_value "$1" ;; *:*) ;; *) refuse order_value "$1" ;; esac
  is_limit "${VALUE%:*}" && is_limit "${VALUE#*:}" || refuse order_value "$1"
}

one_of() { # NAME WORD...
  _name=$1
  shift
  for _word; do [ "$VALUE" = "$_word" ] && return 0; done
  refuse order_value "$_name"
}

unit_name() {
  case $VALUE in *[!A-Za-z0-9:_.@\\-]* | .* | *@.* | @*) refuse order_value unit ;; esac
  [ ${#VALUE} -le 255 ] || refuse order_value unit
  _rest=$VALUE
  while :; do # a backslash only as systemd escapes a byte: \x2d
    case $_rest in
      *\\x[0-9a-f][0-9a-f]*) _rest=${_rest%%\\x[0-9a-f][0-9a-f]*}${_rest#*\\x[0-9a-f][0-9a-f]} ;;
      *\\*) refuse order_value unit ;;
      *) break ;;
    esac
  done
  case $VALUE in
    *.service | *.scope | *.slice | *.socket | *.mount | *.swap) ;;
    *) refuse order_value unit ;;
  esac
}

user_name() {
  case $VALUE in [!a-z_]* | *[!a-z0-9_.-]*) refuse order_value user ;; esac
  [ ${#VALUE} -le 32 ] || refuse order_value user
}

processes() { # none, or PID:START:SOFT:HARD,... at most 32
  PROCESSES=$VALUE
  [ "$VALUE" != none ] || return 0
  _count=0
  case $VALUE in ,* | *, | *,,*) refuse order_value processes ;; esac
  IFS=,
  for _one in $VALUE; do
    IFS=:
    # shellcheck disable=SC2086 # split at the colons
    set -- $_one
    IFS=,
    [ $# -eq 4 ] && is_number "$1" && is_number "$2" && is_limit "$3" && is_limit "$4" || refuse order_value processes
    [ "$1" -gt 1 ] || refuse order_value processes
    _count=$((_count + 1))
  done
  unset IFS
  [ "$_count" -le 32 ] || refuse order_value processes
}

swap_path() {
  case $VALUE in /*triagebook.swap) ;; *) refuse order_value path ;; esac
  case $VALUE in *//* | *[!A-Za-z0-9._/-]* | */.* | */-*) refuse order_value path ;; esac
  case ${VALUE##*/} in triagebook.swap) ;; *) refuse order_value path ;; esac
  [ ${#VALUE} -le 200 ] || refuse order_value path
}

parse_header() {
  field format && one_of format "$FORMAT"
  field id && hex 32 id && ID=$VALUE
  field plan && hex 64 plan && PLAN=$VALUE
  field target && hex 32 target && WANTED_TARGET=$VALUE
  field boot && hex_or_dash && WANTED_BOOT=$VALUE
  field issued && number issued && ISSUED=$VALUE
  field expires && number expires && EXPIRES=$VALUE
  field action
}

hex_or_dash() {
  case $VALUE in *[!0-9a-f-]*) refuse order_value boot ;; esac
  [ ${#VALUE} -eq 36 ] || refuse order_value boot
}

parse_action() { # the fields of each action, in their one order
  ACTION=$VALUE
  case $ACTION in
    undo)
      field undoes && hex 32 undoes && UNDOES=$VALUE
      return
      ;;
    unit_tasks_max | user_nproc | sysctl | process_limit | unit_limit | swap_file | process_signal | unit_restart) ;;
    *)
      ACTION=''
      refuse order_value action
      ;;
  esac
  field step && one_of step live persist && STEP=$VALUE
  case $ACTION:$STEP in
    process_limit:persist | process_signal:persist | unit_restart:persist | unit_limit:live) refuse order_value step ;;
  esac
  case $ACTION in
    unit_tasks_max)
      field unit && unit_name && UNIT=$VALUE
      field before && { [ "$VALUE" = max ] || number before; } && EXPECTED=$VALUE
      field value && number value && WANTED=$VALUE
      ;;
    user_nproc)
      field user && user_name && USER_NAME=$VALUE
      field uid && number uid && USER_ID=$VALUE
      field processes && processes
      case $STEP:$PROCESSES in live:none) refuse order_value processes ;; persist:none | live:*) ;; *) refuse order_value processes ;; esac
      field before && { [ "$STEP:$VALUE" = live:none ] || { [ "$STEP" = persist ] && pair before; }; } || refuse order_value before
      EXPECTED=$VALUE
      field value && number value && WANTED=$VALUE
      ;;
    sysctl)
      field key && one_of key vm.max_map_count vm.overcommit_memory vm.overcommit_ratio vm.overcommit_kbytes \
        kernel.pid_max kernel.threads-max && KEY=$VALUE
      field before && number before && EXPECTED=$VALUE
      field value && number value && WANTED=$VALUE
      ;;
    process_limit)
      parse_process
      field resource && one_of resource nproc as && RESOURCE=$VALUE
      field before && pair before && EXPECTED=$VALUE
      field value && number value && WANTED=$VALUE
      ;;
    unit_limit)
      field unit && unit_name && UNIT=$VALUE
      field resource && one_of resource nproc as && RESOURCE=$VALUE
      field before && pair before && EXPECTED=$VALUE
      field value && number value && WANTED=$VALUE
      ;;
    swap_file)
      field path && swap_path && SWAP=$VALUE
      field size_mib && number size_mib && SIZE_MIB=$VALUE && WANTED=$VALUE
      ;;
    process_signal)
      parse_process
      field signal && one_of signal TERM KILL && WANTED=$VALUE
      ;;
    unit_restart)
      field unit && unit_name && UNIT=$VALUE
      field before && hex 32 before && EXPECTED=$VALUE
      ;;
  esac
}

parse_process() {
  field pid && number pid && PID=$VALUE
  field start && number start && START=$VALUE
  field uid && number uid && USER_ID=$VALUE
}

parse_end() { ! IFS= read -r VALUE <&3 || refuse order_fields extra; }

parse() { # FILE
  [ -r "$1" ] || refuse spool_unwritable
  exec 3<"$1"
  parse_header
  parse_action
  parse_end
  exec 3<&-
}

# `action=status` changes nothing and says nothing secret, so it needs no signature: it must answer a server whose
# key was revoked or whose order expired, because that is when one asks what was done.
is_status() {
  [ ! -s "$SPOOL/signature" ] || return 1
  [ "$(sed -n 2p "$SPOOL/order")" = action=status ] || return 1
  exec 3<"$SPOOL/order"
  field format && one_of format "$FORMAT"
  field action && ORDERED=$VALUE
  field id
  [ "$VALUE" = none ] || hex 32 id
  ID=$VALUE
  parse_end
  exec 3<&-
}

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

lock() {
  printf '' >>"$RUN/lock" || refuse spool_unwritable
  exec 9>>"$RUN/lock" # children keep it: after a kill of this shell the host stays locked until they have ended
  flock -n 9 || refuse busy
}

# Four processes at once, as many as any change here needs. Without them a change could end half-way.
probe_forks() {
  # shellcheck disable=SC2030 # only the forks matter
  ( ( ( ( : ) || exit 1; : ) || exit 1; : ) || exit 1; : ) || refuse fork
  FAILURE=died
}

# --------------------------------------------------------------------------------------------------------- the journal

# One directory an id: order (as verified), before (what undo restores), after, state, and copies of files.
# States: claimed -> refused:REASON | changing -> applied | restored | half; applied | changing -> undone.
claim() {
  [ -d "$STATE/journal" ] || mkdir -p "$STATE/journal" || refuse journal_unwritable
  is_trusted "$STATE/journal" || refuse journal_unsafe
  prune
  [ ! -e "$STATE/journal/$ID" ] || refuse replayed
  mkdir "$STATE/journal/$ID" || refuse journal_unwritable # atomic: of two, one makes it
  ENTRY=$STATE/journal/$ID CLAIMED=$STATE/journal/$ID
  cp "$SPOOL/order" "$ENTRY/order" && cmp -s "$SPOOL/order" "$ENTRY/order" && mark claimed &&
    sync "$ENTRY/order" "$STATE/journal" || refuse journal_unwritable
}

mark() { # STATE: replaced in one step, on disk before the next thing happens
  printf '%s\n' "$1" >"$ENTRY/state.new" && [ "$(cat "$ENTRY/state.new")" = "$1" ] &&
    sync "$ENTRY/state.new" && mv -f "$ENTRY/state.new" "$ENTRY/state" && sync "$ENTRY" && JOURNAL=$1
}

# Before the first change: what undo needs is on disk, or nothing is changed.
record_before() {
  printf '%s\n' "$BEFORE" "$EXTRA" "$BOOT" >"$ENTRY/before" && [ "$(sed -n 1p "$ENTRY/before")" = "$BEFORE" ] &&
    [ "$(sed -n 3p "$ENTRY/before")" = "$BOOT" ] && sync "$ENTRY/before" || refuse journal_unwritable
  set +f
  sync "$ENTRY"/* "$ENTRY" || refuse journal_unwritable
  set -f
  mark changing || refuse journal_unwritable
}

# Ids are forgotten a day after they expired, except those that an undo may still need: a persistent change, or a live
# one of this boot. What a killed helper left of a file (never its final name) goes too.
prune() {
  find "$RUN" -maxdepth 1 -name 'spool.*' -mmin +10 -exec rm -rf {} +
  set +f
  for _entry in "$STATE/journal"/*; do
    [ -d "$_entry" ] || continue
    _state='' _expires=0 _boot=''
    read -r _state <"$_entry/state"
    case $_state in changing | undoing) sweep "$_entry" ;; esac
    while IFS='=' read -r _key _value; do [ "$_key" != expires ] || _expires=$_value; done <"$_entry/order"
    if is_number "$_expires" && [ "$_expires" -gt 0 ]; then
      [ $((_expires + KEEP_S)) -lt "$NOW" ] || continue
    else # claimed on a full disk: its order was never written
      [ -n "$(find "$_entry" -maxdepth 0 -mmin +1500)" ] || continue
    fi
    case $_state in
      applied | changing | undoing | half)
        [ ! -e "$_entry/persistent" ] || continue
        { read -r _boot && read -r _boot && read -r _boot; } <"$_entry/before"
        [ "$_boot" != "$BOOT" ] || continue
        ;;
    esac
    rm -rf "$_entry"
  done
  set -f
}

sweep() { # ENTRY: the temporary name it recorded
  [ -e "$1/temporary" ] || return 0
  IFS= read -r _left <"$1/temporary"
  case $_left in */.triagebook."${1##*/}".tmp) [ ! -e "$_left" ] || rm -f "$_left" ;; esac
}

# ------------------------------------------------------------------------------------------------------ our own files

# A file is replaced by rename only, so that it is the old one or the new one at any moment. NAME is its name here.
own_file() { # PATH -> OWN and its temporary neighbour, which a killed run may leave and `sweep` finds
  OWN=$1 OWN_TEMPORARY=${1%/*}/.triagebook.${ENTRY##*/}.tmp
}

capture_file() { # PATH
  own_file "$1"
  printf '%s\n' "$OWN_TEMPORARY" >"$ENTRY/temporary" || refuse journal_unwritable
  if [ -e "$OWN" ] || [ -L "$OWN" ]; then
    is_trusted "$OWN" || refuse file_unsafe "$OWN"
    cp -a "$OWN" "$ENTRY/file.before" && cmp -s "$OWN" "$ENTRY/file.before" || refuse journal_unwritable
  else
    [ -d "${OWN%/*}" ] || blank "$ENTRY/made_directory" || refuse journal_unwritable
    _above=${OWN%/*}
    while [ ! -d "$_above" ]; do _above=${_above%/*}; done
    is_trusted "$_above" || refuse file_unsafe "$_above"
  fi
}

want_file() { # standard input: the new content. Never in a pipeline: its refusal must end this shell
  cat >"$ENTRY/file.after" || refuse journal_unwritable
}

install_file() {
  [ -d "${OWN%/*}" ] || { mkdir "${OWN%/*}" && chmod 755 "${OWN%/*}"; } || return 1
  if [ -e "$ENTRY/file.before" ]; then
    cp -a "$ENTRY/file.before" "$OWN_TEMPORARY" || return 1 # owner, mode and label of what it replaces
  else
    (umask 022 && blank "$OWN_TEMPORARY") || return 1
  fi
  cat "$ENTRY/file.after" >"$OWN_TEMPORARY" && cmp -s "$ENTRY/file.after" "$OWN_TEMPORARY" &&
    sync "$OWN_TEMPORARY" && mv -f "$OWN_TEMPORARY" "$OWN" && sync "${OWN%/*}"
}

is_ours_still() { cmp -s "$OWN" "$ENTRY/file.after"; }

# An undo starts from our file, or from the state before when an earlier try of it was cut.
refuse_foreign_file() { is_ours_still || is_as_before || refuse changed "$(quote "$OWN")"; }

is_as_before() {
  if [ -e "$ENTRY/file.before" ]; then cmp -s "$OWN" "$ENTRY/file.before"; else [ ! -e "$OWN" ]; fi
}

restore_file() {
  rm -f "$OWN_TEMPORARY"
  if [ -e "$ENTRY/file.before" ]; then
    cp -a "$ENTRY/file.before" "$OWN_TEMPORARY" && sync "$OWN_TEMPORARY" && mv -f "$OWN_TEMPORARY" "$OWN" || return 1
  else
    rm -f "$OWN" || return 1
    [ ! -e "$ENTRY/made_directory" ] || rmdir "${OWN%/*}"
  fi
  [ ! -d "${OWN%/*}" ] || sync "${OWN%/*}"
}

# ------------------------------------------------------------------------------------------------- reading this host

# dash and busybox `read` get one character of a /proc/sys file, so cat reads those.
sysctl_path() { printf '%s/sys/%s\n' "$PROC" "$(printf '%s' "$1" | tr . /)"; }

sysctl_value() { cat "$(sysctl_path "$1")"; } # KEY

kilobytes() { # NAME of /proc/meminfo -> kB, 0 if there is none
  while read -r _name _kb _; do
    if [ "$_name" = "$1:" ]; then
      printf '%s\n' "$_kb"
      return
    fi
  done <"$PROC/meminfo"
  printf '0\n'
}

live_tasks() { # all tasks of the host: field 4 of loadavg, running/total
  read -r _ _ _ _tasks _ <"$PROC/loadavg"
  printf '%s\n' "${_tasks#*/}"
}

tasks_of() { # UID -> tasks (threads, zombies too) of all its processes
  (
    set +f
    cd "$PROC" || exit 1
    set -- "$1" [0-9]*
    awk -v proc="$PROC" 'BEGIN { uid = ARGV[1]; for (i = 2; i < ARGC; i++) {
      file = proc "/" ARGV[i] "/status"; owner = ""; threads = 0
      while ((getline line < file) > 0) {
        if (line ~ /^Uid:/) { split(line, part); owner = part[2] }
        if (line ~ /^Threads:/) { split(line, part); threads = part[2] } }
      close(file)
      if (owner == uid) sum += threads }
      print sum + 0 }' "$@"
  )
}

# State, parent, start time and owner of a process; fails when there is none.
process() { # PID -> P_STATE P_PARENT P_START P_UID P_KB
  P_STATE='' P_PARENT='' P_START='' P_UID='' P_KB=0
  _stat=$(cat "$PROC/$1/stat") || return 1
  _stat=${_stat##*) } # the name before it may hold anything, brackets and spaces too
  # shellcheck disable=SC2086 # split at the spaces
  set -- "$1" $_stat
  [ $# -ge 22 ] || return 1
  _pid=$1 P_STATE=$2 P_PARENT=$3
  shift 20
  P_START=$1
  while read -r _name _first _; do
    case $_name in Uid:) P_UID=$_first ;; VmSize:) P_KB=$_first ;; esac
  done <"$PROC/$_pid/status"
  [ -n "$P_UID" ]
}

# The process of the order, or a refusal: a number may have passed to another process meanwhile.
same_process() { # PID START UID
  process "$1" || refuse process_gone "$1"
  [ "$P_START" = "$2" ] || refuse process_gone "$1"
  [ "$P_UID" = "$3" ] || refuse process_changed "$1"
}

limit_of() { # PID RESOURCE -> SOFT:HARD as the kernel has it
  case $2 in nproc) _title='Max processes' ;; as) _title='Max address space' ;; esac
  while IFS= read -r _line; do
    case $_line in
      "$_title "*)
        # shellcheck disable=SC2086 # split at the spaces
        set -- ${_line#"$_title"}
        printf '%s:%s\n' "$1" "$2"
        return
        ;;
    esac
  done <"$PROC/$1/limits"
  return 1
}

is_less() { # A B: numbers, or the word for no limit
  case $1 in max | unlimited | infinity) return 1 ;; esac
  case $2 in max | unlimited | infinity) return 0 ;; esac
  [ "$1" -lt "$2" ]
}

raised_pair() { # SOFT:HARD VALUE -> the pair with that soft limit; the hard one rises only if it must
  if is_less "${1#*:}" "$2"; then printf '%s:%s\n' "$2" "$2"; else printf '%s:%s\n' "$2" "${1#*:}"; fi
}

control() { timeout 60 systemctl --no-ask-password "$@" >/dev/null; }

# systemd answers before it has written a cgroup: look again for two seconds.
within_2s() { # COMMAND...
  _tries=0
  until "$@"; do
    _tries=$((_tries + 1))
    [ "$_tries" -lt 20 ] || return 1
    sleep 0.1 || sleep 1
  done
}

# What systemd says about the unit, in U_ variables; fails, with U_WHY, when it says nothing or has not loaded it.
unit() {
  U_LOAD='' U_ACTIVE='' U_CGROUP='' U_DROPINS='' U_TASKS_MAX='' U_INVOCATION='' U_NPROC='' U_AS='' U_WHY=systemd
  _nproc_soft='' _as_soft=''
  _shown=$(timeout 60 systemctl show -p LoadState -p ActiveState -p ControlGroup -p DropInPaths -p TasksMax -p InvocationID \
    -p LimitNPROC -p LimitNPROCSoft -p LimitAS -p LimitASSoft "$UNIT") || return 1
  while IFS= read -r _line; do
    _value=${_line#*=}
    case $_value in infinity | 18446744073709551615) _value=max ;; esac # systemd up to 24x prints the number
    case $_line in
      LoadState=*) U_LOAD=$_value ;;
      ActiveState=*) U_ACTIVE=$_value ;;
      ControlGroup=*) U_CGROUP=$_value ;;
      DropInPaths=*) U_DROPINS=$_value ;;
      TasksMax=*) U_TASKS_MAX=$_value ;;
      InvocationID=*) U_INVOCATION=$_value ;;
      LimitNPROC=*) U_NPROC=$_value ;;
      LimitNPROCSoft=*) _nproc_soft=$_value ;;
      LimitAS=*) U_AS=$_value ;;
      LimitASSoft=*) _as_soft=$_value ;;
    esac
  done <<EOF
$_shown
EOF
  U_NPROC=$(unlimited "$_nproc_soft"):$(unlimited "$U_NPROC")
  U_AS=$(unlimited "$_as_soft"):$(unlimited "$U_AS")
  U_WHY=unit_not_loaded
  [ "$U_LOAD" = loaded ] # an unknown unit still prints defaults
}

unlimited() { if [ "$1" = max ]; then printf 'unlimited\n'; else printf '%s\n' "$1"; fi; }

cgroup_path() { # of U_CGROUP: v1 and hybrid have a pids hierarchy of their own
  if [ -d "$CGROUP/pids" ]; then printf '%s/pids%s\n' "$CGROUP" "$U_CGROUP"; else printf '%s%s\n' "$CGROUP" "$U_CGROUP"; fi
}

has_cgroup() { [ -n "$U_CGROUP" ] && [ "$U_CGROUP" != / ] && [ -e "$(cgroup_path)/pids.max" ]; }

# A drop-in of any directory that sorts after ours and sets the same thing would win at the next daemon-reload.
refuse_later_dropin() { # OUR_NAME SETTING
  for _dropin in $U_DROPINS; do
    [ "$_dropin" != "$OWN" ] || continue
    _last=$(printf '%s\n%s\n' "$1" "${_dropin##*/}" | sort | sed -n '$p')
    [ "$_last" = "$1" ] || ! grep -q "^[[:space:]]*${2}[A-Za-z]*[[:space:]]*=" "$_dropin" || refuse overridden "$(quote "$_dropin")"
  done
}

half_of_threads_max() { echo $(($(sysctl_value kernel.threads-max) / 2)); }

# ------------------------------------------------------------------------------------------------------- actions
# For each: check_ (guards, sets BEFORE; refuses), apply_ (the change), observe_ (sets AFTER; fails when it is not what
# was wanted), restore_ (puts BEFORE back), undo_guard_ (refuses an undo that would go below present use).

# unit_tasks_max: a unit's task limit. Live by systemd's own runtime setting; persistent by our drop-in, named late.

tasks_max_file() {
  if [ "$STEP" = live ]; then
    printf '%s\n' "$RUNTIME_UNITS/$UNIT.d/50-TasksMax.conf" # where `set-property --runtime` writes
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
    blank "$ENTRY/persistent" || refuse journal_unwritable
    want_file <<EOF
[$(section "$UNIT")]
TasksMax=$WANTED
EOF
  else
    [ -d "$RUNTIME_UNITS" ] || blank "$ENTRY/made_control" || refuse journal_unwritable
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
    install_file && control daemon-reload
  fi
}

observe_unit_tasks_max() { unit && within_2s tasks_max_is "$WANTED"; }

tasks_max_is() {
  AFTER=$(tasks_max_now)
  [ "$AFTER" = "$1" ]
}

# Deletes exactly our file: `systemctl revert` would delete the administrator's too, and `TasksMax=` means infinity.
restore_unit_tasks_max() {
  restore_file && control daemon-reload || return 1
  [ ! -e "$ENTRY/made_control" ] || rmdir "$RUNTIME_UNITS"
  is_as_before || return 1
  unit || return 0 # the unit is gone, and its limit with it
  within_2s is_tasks_max_configured
}

# What is left decides now: the value before, or what the file of the other step or an administrator says.
is_tasks_max_configured() {
  AFTER=$(tasks_max_now)
  [ "$AFTER" = "$BEFORE" ] || [ "$AFTER" = "$U_TASKS_MAX" ]
}

# Which value comes back is known only when our file is gone: if that is below present use, it is set again.
is_back_below_use() {
  [ "$ACTION" = unit_tasks_max ] && has_cgroup || return 1
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

# user_nproc: processes a user may have. Live for the named processes (children inherit); persistent for new logins.

check_user_nproc() {
  [ "$USER_ID" -ne 0 ] || refuse exempt
  [ "$(id -u "$USER_NAME")" = "$USER_ID" ] || refuse other_user
  _tasks=$(tasks_of "$USER_ID")
  [ "$WANTED" -gt "$_tasks" ] || refuse out_of_bounds below_use
  [ "$WANTED" -le "$(half_of_threads_max)" ] || refuse out_of_bounds half_of_threads_max
  if [ "$STEP" = persist ]; then check_user_file; else check_user_processes; fi
}

check_user_file() {
  BEFORE=$EXPECTED
  U_CGROUP=/user.slice/user-$USER_ID.slice
  if has_cgroup; then
    _max=$(cat "$(cgroup_path)/pids.max")
    ! is_less "$_max" "$WANTED" || refuse out_of_bounds user_slice
  fi
  grep -qsrE '^[[:space:]]*-?session[[:space:]].*pam_limits\.so' "$PAM" || refuse no_pam_limits
  capture_file "$LIMITS/zz-triagebook-$USER_NAME.conf"
  set +f
  for _file in "$LIMITS"/*.conf; do # the last file that names the user wins
    [ "$_file" != "$OWN" ] || continue
    [ "$(printf '%s\n%s\n' "${OWN##*/}" "${_file##*/}" | sort | sed -n '$p')" != "${OWN##*/}" ] || continue
    ! grep -qE "^[[:space:]]*${USER_NAME}[[:space:]].*nproc" "$_file" || refuse overridden "$(quote "$_file")"
  done
  set -f
  blank "$ENTRY/persistent" || refuse journal_unwritable
  _pair=$(raised_pair "$EXPECTED" "$WANTED")
  { # the hard limit as it is, unless it must rise; where there was none, none is set
    printf '%s soft nproc %s\n' "$USER_NAME" "$WANTED"
    [ "${_pair#*:}" = unlimited ] || printf '%s hard nproc %s\n' "$USER_NAME" "${_pair#*:}"
  } >"$ENTRY/file.after" || refuse journal_unwritable
}

check_user_processes() {
  _alive=0 _seen=''
  IFS=,
  for _one in $PROCESSES; do
    unset IFS
    split_process "$_one"
    process "$L_PID" && [ "$P_START" = "$L_START" ] || continue # ended since: nothing to change
    [ "$P_UID" = "$USER_ID" ] || refuse process_changed "$L_PID"
    [ "$(limit_of "$L_PID" nproc)" = "$L_PAIR" ] || refuse changed "$L_PID"
    is_less "${L_PAIR%:*}" "$WANTED" || refuse out_of_bounds not_higher
    _alive=$((_alive + 1)) _seen=$_seen,$_one
  done
  unset IFS
  [ "$_alive" -gt 0 ] || refuse process_gone
  BEFORE=${_seen#,}
}

split_process() { # PID:START:SOFT:HARD -> L_PID L_START L_PAIR
  L_PID=${1%%:*}
  L_PAIR=${1#*:}
  L_START=${L_PAIR%%:*}
  L_PAIR=${L_PAIR#*:}
}

# Runs COMMAND for each captured process that is still the same one; those that ended are left out.
for_processes() { # FUNCTION
  _failed=0
  IFS=,
  for _one in $BEFORE; do
    unset IFS
    split_process "$_one"
    process "$L_PID" && [ "$P_START" = "$L_START" ] || continue
    "$1" || _failed=1
  done
  unset IFS
  [ "$_failed" = 0 ]
}

raise_one() { prlimit --pid "$L_PID" "--nproc=$(raised_pair "$L_PAIR" "$WANTED")"; }
lower_one() { [ "$(limit_of "$L_PID" nproc)" = "$L_PAIR" ] || prlimit --pid "$L_PID" "--nproc=$L_PAIR"; }
is_raised() {
  _now=$(limit_of "$L_PID" nproc)
  AFTER=$AFTER${AFTER:+,}$L_PID:$L_START:$_now
  [ "$_now" = "$(raised_pair "$L_PAIR" "$WANTED")" ]
}
is_lowered() {
  _now=$(limit_of "$L_PID" nproc)
  AFTER=$AFTER${AFTER:+,}$L_PID:$L_START:$_now
  [ "$_now" = "$L_PAIR" ]
}

apply_user_nproc() { if [ "$STEP" = persist ]; then install_file; else for_processes raise_one; fi; }

observe_user_nproc() {
  AFTER=''
  if [ "$STEP" = live ]; then
    for_processes is_raised && [ -n "$AFTER" ]
  else
    AFTER=$WANTED
    is_ours_still
  fi
}

restore_user_nproc() {
  AFTER=''
  if [ "$STEP" = live ]; then
    for_processes lower_one && for_processes is_lowered
  else
    restore_file && AFTER=$BEFORE && is_as_before
  fi
}

undo_guard_user_nproc() {
  if [ "$STEP" = persist ]; then
    own_file "$LIMITS/zz-triagebook-$USER_NAME.conf"
    refuse_foreign_file
    return
  fi
  _tasks=$(tasks_of "$USER_ID")
  for_processes is_room_below || refuse undo_unsafe "in use $_tasks"
  AFTER=''
  [ "$JOURNAL" != applied ] || for_processes is_raised || refuse changed
}

is_room_below() { is_less "$_tasks" "${L_PAIR%:*}"; }

# sysctl: one of six kernel values. Live by writing it; persistent by a file of our own for that key.

check_sysctl() {
  prepare_sysctl
  BEFORE=$(sysctl_value "$KEY") || refuse unreadable
  [ "$BEFORE" = "$EXPECTED" ] || refuse changed "$(quote "$BEFORE")"
  if [ "$STEP" = persist ]; then
    [ "$WANTED" = "$BEFORE" ] || refuse not_live # what was not tried live is not made permanent
    check_sysctl_file
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

check_sysctl_file() {
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
  [ ! -e "$SYSCTL_CONF" ] || ! grep -E "$_pattern" "$SYSCTL_CONF" | grep -qvE "=[[:space:]]*${WANTED}[[:space:]]*$" ||
    refuse overridden "$SYSCTL_CONF"
  blank "$ENTRY/persistent" || refuse journal_unwritable
  want_file <<EOF
$KEY = $WANTED
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
    return
  fi
  write_back && AFTER=$(sysctl_value "$KEY") && [ "$AFTER" = "$BEFORE" ]
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
  esac
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

# process_limit: RLIMIT_AS or RLIMIT_NPROC of one running process.

check_process_limit() {
  same_process "$PID" "$START" "$USER_ID"
  BEFORE=$(limit_of "$PID" "$RESOURCE")
  [ "$BEFORE" = "$EXPECTED" ] || refuse changed "$(quote "$BEFORE")"
  is_less "${BEFORE%:*}" "$WANTED" || refuse out_of_bounds not_higher
  check_resource
}

check_resource() {
  case $RESOURCE in
    as) [ "$WANTED" -le $((134217728 * MIB)) ] || refuse out_of_bounds ;; # 128 TiB, an x86-64 address space
    nproc) [ "$WANTED" -le "$(half_of_threads_max)" ] || refuse out_of_bounds half_of_threads_max ;;
  esac
}

set_limit() { prlimit --pid "$PID" "--$RESOURCE=$1"; } # SOFT:HARD

apply_process_limit() { set_limit "$(raised_pair "$BEFORE" "$WANTED")"; }

observe_process_limit() {
  AFTER=$(limit_of "$PID" "$RESOURCE")
  [ "$AFTER" = "$(raised_pair "$BEFORE" "$WANTED")" ]
}

restore_process_limit() {
  process "$PID" && [ "$P_START" = "$START" ] || return 0 # it ended, and its limits with it
  set_limit "$BEFORE"
  AFTER=$(limit_of "$PID" "$RESOURCE")
  [ "$AFTER" = "$BEFORE" ]
}

undo_guard_process_limit() {
  process "$PID" && [ "$P_START" = "$START" ] || refuse nothing_to_undo process_gone
  [ "$JOURNAL" != applied ] || observe_process_limit || refuse changed "$(quote "$AFTER")"
  case $RESOURCE in
    as) is_less $((P_KB * 1024)) "${BEFORE%:*}" || refuse undo_unsafe "in use $P_KB kB" ;;
    nproc)
      _tasks=$(tasks_of "$USER_ID")
      is_less "$_tasks" "${BEFORE%:*}" || refuse undo_unsafe "in use $_tasks"
      ;;
  esac
}

# unit_limit: LimitNPROC= or LimitAS= by a drop-in of ours. It takes effect when the service is next started.

limit_setting() { case $RESOURCE in nproc) echo LimitNPROC ;; as) echo LimitAS ;; esac; }
unit_limit_now() { case $RESOURCE in nproc) printf '%s\n' "$U_NPROC" ;; as) printf '%s\n' "$U_AS" ;; esac; }
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
  blank "$ENTRY/persistent" || refuse journal_unwritable
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

# swap_file: a new file as swap (live), and its line in fstab (persistent).

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
  blank "$ENTRY/persistent" || refuse journal_unwritable # the file outlives a boot
  SWAP_TEMPORARY=$_dir/.triagebook.${ENTRY##*/}.tmp
  printf '%s\n' "$SWAP_TEMPORARY" >"$ENTRY/temporary" || refuse journal_unwritable
}

check_swap_line() {
  is_swapping "$SWAP" || refuse not_live
  BEFORE=none
  ! grep -qF "$SWAP" "$FSTAB" || refuse exists
  capture_file "$FSTAB"
  blank "$ENTRY/persistent" || refuse journal_unwritable
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

# process_signal: TERM, or KILL after a TERM. Cannot be undone.

check_process_signal() {
  [ "$PID" -gt 1 ] || refuse protected
  same_process "$PID" "$START" "$USER_ID"
  [ "$P_STATE" != Z ] || refuse zombie "parent $P_PARENT"
  [ "$P_KB" -gt 0 ] || refuse protected kernel_thread
  BEFORE=alive
  _ancestor=$$
  while [ "$_ancestor" -gt 1 ]; do
    [ "$_ancestor" != "$PID" ] || refuse protected own_ancestor
    process "$_ancestor" || break
    _ancestor=$P_PARENT
  done
  [ "$WANTED" = TERM ] || was_asked_to_end || refuse term_first
}

was_asked_to_end() { # a TERM to the same process is in the journal
  set +f
  for _entry in "$STATE/journal"/*; do
    grep -qx "pid=$PID" "$_entry/order" && grep -qx "start=$START" "$_entry/order" &&
      grep -qx signal=TERM "$_entry/order" && grep -qx "boot=$BOOT" "$_entry/order" &&
      grep -qx applied "$_entry/state" && set -f && return 0
  done
  set -f
  return 1
}

apply_process_signal() { process "$PID" && [ "$P_START" = "$START" ] && kill -s "$WANTED" "$PID"; }

observe_process_signal() { # whether it ended is for fresh facts to say; a TERM may be answered slowly
  _tries=0
  while process "$PID" && [ "$P_START" = "$START" ] && [ "$P_STATE" != Z ] && [ "$_tries" -lt 10 ]; do
    _tries=$((_tries + 1))
    sleep 0.2 || sleep 1
  done
  if process "$PID" && [ "$P_START" = "$START" ] && [ "$P_STATE" != Z ]; then AFTER=alive; else AFTER=gone; fi
}

restore_process_signal() { return 1; }
undo_guard_process_signal() { refuse no_undo; }

# unit_restart: a service, once, as the instance that was diagnosed. Cannot be undone.

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

# ------------------------------------------------------------------------------------------------------- running one

# After a failed or cut change, from the EXIT trap. A live sysctl comes back by builtins alone.
put_back() {
  case $ACTION:$STEP in
    process_signal:* | unit_restart:*) # nothing to put back; cut in between, nobody knows whether it was done
      if [ "$FAILURE" = interrupted ]; then set -- half unknown; else set -- failed failed; fi
      ;;
    sysctl:live) if write_back; then AFTER=$BEFORE && set -- restored failed; else set -- half unknown; fi ;;
    *) if "restore_$ACTION"; then set -- restored failed; else set -- half unknown; fi ;;
  esac
  JOURNAL=$1 PHASE=ended
  printf '%s\n' "$1" >"$ENTRY/state" || JOURNAL=incomplete
  report "$2" "$FAILURE"
  if [ "$2" = failed ]; then _status=4; else _status=5; fi
  log "$2"
}

fail() { # REASON, between the first change and its confirmation: the EXIT trap puts back
  FAILURE=$1
  exit 4
}

change() {
  "check_$ACTION"
  record_before
  PHASE=changing FAILURE=interrupted
  "apply_$ACTION" || fail not_applied
  "observe_$ACTION" || fail not_taken
  printf '%s\n' "$AFTER" >"$ENTRY/after" && mark applied || JOURNAL=incomplete
  PHASE=ended
  report applied ok
  log applied
}

# The captured "before" of an earlier id is put back, if this boot still has it and present use allows it.
undo() {
  [ -d "$STATE/journal/$UNDOES" ] || refuse unknown_id
  _state=''
  read -r _state <"$STATE/journal/$UNDOES/state"
  case $_state in
    applied | changing | undoing | half) ;;
    undone) refuse already_undone ;;
    *) refuse nothing_to_undo "$(quote "$_state")" ;;
  esac
  { IFS= read -r BEFORE && IFS= read -r EXTRA && IFS= read -r _boot; } <"$STATE/journal/$UNDOES/before" || refuse nothing_to_undo
  _id=$ID _plan=$PLAN
  parse "$STATE/journal/$UNDOES/order" # verified when it was stored, root-only since
  ID=$_id PLAN=$_plan
  [ "$STEP" = persist ] || [ "$ACTION" = swap_file ] || [ "$_boot" = "$BOOT" ] || refuse nothing_to_undo rebooted
  JOURNAL=$_state ENTRY=$STATE/journal/$UNDOES
  "undo_guard_$ACTION"
  mark undoing || refuse journal_unwritable
  PHASE=undoing FAILURE=undo_interrupted
  if "restore_$ACTION"; then
    if is_back_below_use && "apply_$ACTION" && mark applied; then
      PHASE=start
      refuse undo_unsafe "in use $_current"
    fi
    mark undone || JOURNAL=incomplete
    set -- undone ok
  else
    mark half
    set -- unknown undo_differs
  fi
  _state=$JOURNAL ENTRY=$CLAIMED
  mark "undo:$_state"
  JOURNAL=$_state PHASE=ended
  report "$@"
  log "$1"
  [ "$1" = undone ] || exit 5
}

log() { logger -t triagebook -p auth.notice "order $ID plan $PLAN action $ORDERED $ACTION $STEP result $1"; }

# What was done, from the journal, and whether it is still being done. The lock is only tried.
status() {
  exec 9>>"$RUN/lock"
  if flock -n 9; then RUNNING=no; else RUNNING=yes; fi
  exec 9>&-
  BEFORE='' AFTER=''
  if [ "$ID" != none ]; then
    ENTRY=$STATE/journal/$ID
    if [ -r "$ENTRY/state" ]; then
      read -r JOURNAL <"$ENTRY/state"
      IFS= read -r BEFORE <"$ENTRY/before"
      IFS= read -r AFTER <"$ENTRY/after"
    elif [ -d "$ENTRY" ]; then
      JOURNAL=claimed
    fi
  fi
  PHASE=ended
  report status ok
}

main() {
  [ $# -eq 0 ] || refuse arguments
  [ "$(id -u)" = 0 ] || refuse not_root
  spool
  if is_status; then
    identify
    status
    exit 0
  fi
  verify
  parse "$SPOOL/order"
  ORDERED=$ACTION
  identify
  check_envelope
  lock
  probe_forks
  claim
  if [ "$ACTION" = undo ]; then undo; else change; fi
  exit 0
}

main "$@"
