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

