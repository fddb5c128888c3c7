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

