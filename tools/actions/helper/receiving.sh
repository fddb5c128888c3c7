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

