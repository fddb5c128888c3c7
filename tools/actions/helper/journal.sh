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

# A change that is still there after the next boot, and so is its entry.
is_lasting() { [ "$STEP" = persist ] || outlives_boot; }

# Before the first change: what undo needs is on disk, or nothing is changed.
record_before() {
  ! is_lasting || blank "$ENTRY/persistent" || refuse journal_unwritable
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

