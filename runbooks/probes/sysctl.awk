# Settings below /proc/sys that runbooks name; their paths are in sysctl_keys(), which is written from the declarations.
function sysctl_end(    i, j, count, words, keys, parts, text) {
  count = split(sysctl_keys(), keys, " ");
  for (i = 1; i <= count; i++) {
    text = line_of(ROOT "/proc/sys/" keys[i]);
    words = readable > 0 ? split(text, parts, "[ \t]+") : 0;
    text = "";
    for (j = 1; j <= words; j++) { text = text (j > 1 ? " " : "") parts[j]; }
    emit("is\t" keys[i] (words > 0 ? "\t" shown(text) : ""));
  }
}
