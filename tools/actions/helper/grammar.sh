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
  if [ "$ACTION" = undo ]; then
    field undoes && hex 32 undoes && UNDOES=$VALUE
    return
  fi
  is_action || {
    ACTION=''
    refuse order_value action
  }
  field step && one_of step live persist && STEP=$VALUE
  has_step || refuse order_value step
  "parse_$ACTION"
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

