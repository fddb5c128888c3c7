# What every kind shares: reading files, printing tagged and bounded records, taking further samples on request; the
# walk over the processes is in processes.awk, control groups in cgroups.awk. program.py puts the kinds behind these
# texts, writes the each_*() calls and puts numbers for names in capitals; minify.py makes it one line. Keep to: no single quote, no doubled
# backslash, "!" only before "=" or "(", every statement ends in ";" "{" or "}", a comment has its own line. Text cut
# out of a file compares as text ("9" is more than "1137"): add 0 to it before comparing it with a number. What stands between
# the comments "<brief>" and "</brief>" serves the brief samples of a watch, and is left out of the program for a diagnosis.

BEGIN {
  # A control character no file of procfs is cut by: one getline then reads a whole file. mawk -W interactive reads
  # by line whatever RS says, so there the lines are joined again.
  RS = "\001";
  getline text < (ROOT "/proc/self/status");
  close(ROOT "/proc/self/status");
  if (index(text, "\n") == 0) { RS = "\n"; }
  BLOCK = RS;
  TAG = slurp(ROOT "/proc/sys/kernel/random/uuid", 1);
  TAG = substr(TAG, 1, 8) substr(TAG, 10, 4);
  if (length(TAG) != 12) { exit 3; }
  answer = "\ntriagebook/1 " TAG "\n";
  STDIN = "/dev/stdin";
  sample_n = FIRST_SAMPLE - 1;
  self = slurp(ROOT "/proc/self/stat", 1);
  newest_pid = self + 0;
  for (i = 1; i < ARGC; i++) {
    if (ARGV[i] ~ "^[0-9]+$") { known[++known_n] = ARGV[i]; }
    else { listed[++listed_n] = ARGV[i]; }
  }
  take_sample();
  while (next_pace()) { take_sample(); }
  exit 0;
}

# The text of a file, "" when it cannot be read; `readable` tells an empty file (0) from none (-1). In line mode at
# most `most` lines are joined (0: all).
function slurp(file, most,    text, part, lines) {
  readable = (getline text < file);
  if (readable > 0) {
    while (++lines != most && (getline part < file) > 0) { text = text (RS part); }
  }
  close(file);
  return readable > 0 ? text : "";
}

# Empties an array; not every awk deletes a whole one.
function forget(array) { split("", array); }

function first_line(text,    end) {
  end = index(text, "\n");
  return end ? substr(text, 1, end - 1) : text;
}

# What follows `key` in `text`, to the end of that line; `found` says whether there was one.
function after(text, key) {
  found = index(text, key);
  return found ? first_line(substr(text, found + length(key))) : "";
}

# A value fit to print: at most 400 bytes (the end of a path tells more than its middle), control characters as \xNN. Bytes from 0x80 up stay (UTF-8).
function shown(value,    i, c, safe) {
  if (length(value) > 400) { value = substr(value, 1, 300) "~" substr(value, length(value) - 98); }
  if (value ~ "^[ -~]*$") { return value; }
  if (CONTROLS == "") {
    for (i = 1; i < 32; i++) { CONTROLS = CONTROLS sprintf("%c", i); }
    CONTROLS = CONTROLS sprintf("%c", 127);
  }
  for (i = 1; i <= length(value); i++) {
    c = substr(value, i, 1);
    if (index(CONTROLS, c)) { c = sprintf("%cx%02x", 92, index(CONTROLS, c) == 32 ? 127 : index(CONTROLS, c)); }
    safe = safe c;
  }
  return safe;
}

# "KEY=VALUE", or "KEY?" when the value could not be read: never zero.
function pair(key, value, is_known) {
  return "\t" key (is_known ? "=" shown(value) : "?");
}

# The first line of a file, "" when it cannot be read.
function line_of(file) { return first_line(slurp(file, 1)); }

function file_pair(key, file) {
  file = line_of(file);
  return pair(key, file, readable > 0);
}

# Settings of a folder below /proc/sys, under their own names.
function sys_pairs(folder, names,    i, count, keys, text) {
  count = split(names, keys, " ");
  for (i = 1; i <= count; i++) { text = text file_pair(keys[i], ROOT "/proc/sys/" folder keys[i]); }
  return text;
}

# A number as text that is never 1e+06.
function whole(number) { return sprintf("%.0f", number); }

# A value that is there, fit to print.
function or_unknown(value) { return value == "" ? "?" : shown(value); }

# Prints a record of the present kind, unless that would pass the kind's share of the answer; then it is counted.
function emit(record) {
  record = TAG "\t" sample_n "\t" kind "\t" record "\n";
  if (length(answer) + length(record) > share_end) {
    if (!(kind in cut)) { cut_kinds = cut_kinds (cut_kinds == "" ? "" : ",") kind; }
    cut[kind]++;
    suppressed++;
    return 0;
  }
  answer = answer record;
  printed++;
  return 1;
}

# Each kind may use twice its even share of what is left; what it leaves, the later ones have.
function share(name) {
  kind = name;
  share_end = length(answer) + int((BUDGET - 700 - length(answer)) * 2 / (kinds_left + 1));
  kinds_left--;
}

function take_sample(    i, text) {
  sample_n++;
  printed = 0; suppressed = 0; cut_kinds = ""; forget(cut);
  forget(hot_cgroup); forget(hot_uid); forget(named_uid); named_n = 0; forget(largest_n); forget(tree_above); forget(tree_n);
  hot_cgroups_n = 0; hot_uids_n = 0;
  kinds_left = KINDS + asked_n;
  share_end = BUDGET;
  each_begin();
  each_early();
  if (WALKS) { walk(); }
  each_end();
  each_after();
  each_asked();
  share_end = BUDGET;
  if (WALKS) { print_walk(); }
  print_names();
  text = spent_us();
  kind = "end";
  share_end = BUDGET + 1000;
  emit("printed=" (printed + 1) "\tsuppressed=" (suppressed + 0) "\ttruncated=" cut_kinds \
    pair("uptime", after("\n" slurp(ROOT "/proc/uptime", 1), "\n"), readable > 0) \
    pair("cpu_us", whole(text), text > 0) \
    pair("awk", (("version" in PROCINFO) ? "gawk" : ARGV[0]), 1) cut_pairs());
  # One write for all of it where the output is not buffered (mawk -W interactive).
  if (sample_n == FIRST_SAMPLE) { answer = answer push(); }
  printf "%s", answer;
  fflush();
  answer = "";
}

# What pushes the first answer: sshd leaves the last part of a segment in its buffer until what went before is
# acknowledged, a round trip later (Nagle). With this behind it, that part holds nothing of the answer.
function push() { return length(answer) < BUDGET - 2600 ? sprintf("%2600s", "\n") : ""; }

function cut_pairs(    i, count, names, pairs) {
  count = split(cut_kinds, names, ",");
  for (i = 1; i <= count; i++) { pairs = pairs "\tcut." names[i] "=" cut[names[i]]; }
  return pairs;
}

# --- lists of the largest --------------------------------------------------------------------------------------------

# Keeps the `most` entries of the largest value, ties by first come: largest[list, 1..count].
function keep_largest(list, entry, value, most,    i) {
  i = largest_n[list] + 0;
  if (i >= most) {
    if (value <= largest_value[list, i]) { return; }
  } else { i = ++largest_n[list]; }
  for (; i > 1 && largest_value[list, i - 1] < value; i--) {
    largest[list, i] = largest[list, i - 1];
    largest_value[list, i] = largest_value[list, i - 1];
  }
  largest[list, i] = entry;
  largest_value[list, i] = value;
}

# A cgroup or user near a limit: process_groups names who uses it. At most twelve of each.
function heat_cgroup(path) {
  if (hot_cgroups_n < 12 && !(path in hot_cgroup)) { hot_cgroup[path] = 1; hot_cgroups[++hot_cgroups_n] = path; }
}

function heat_uid(number) {
  if (hot_uids_n < 12 && !(number in hot_uid)) { hot_uid[number] = 1; hot_uids[++hot_uids_n] = number; }
}

# --- names -----------------------------------------------------------------------------------------------------------

# Notes that a printed record names this user.
function name_uid(number) {
  if (!(number in named_uid)) { named_uid[number] = 1; named[++named_n] = number; }
  return number;
}

function name_path(text,    i) {
  i = index(text, "/user-");
  if (i && substr(text, i + 6) ~ "^[0-9]+[.]slice") {
    i = substr(text, i + 6, 12);
    name_uid(substr(i, 1, index(i, ".") - 1));
  }
  return shown(text);
}

# How a record about a process begins.
function head(what, pid, comm, uid, path) {
  return what "\t" pid "\t" shown(comm) "\t" name_uid(uid) "\t" (path == "" ? "?" : name_path(path));
}

# Keeps of the present process what a record about it begins with, for kinds that print it after the walk.
function note_process() {
  read_cgroup();
  noted_comm[pid] = comm; noted_uid[pid] = uid; noted_path[pid] = path;
}

function noted_head(what, pid) { return head(what, pid, noted_comm[pid], noted_uid[pid], noted_path[pid]); }

# A user whose name is not in /etc/passwd has none here; the file is read again only for users not asked for before.
function print_names(    i, line, file, parts, wanted, wanted_n) {
  for (i = 1; i <= named_n; i++) {
    if (!(named[i] in login_of)) { login_of[named[i]] = ""; wanted[named[i]] = 1; wanted_n++; }
  }
  file = ROOT "/etc/passwd";
  RS = "\n";
  while (wanted_n > 0 && (getline line < file) > 0) {
    if (split(line, parts, ":") >= 3 && parts[3] in wanted && login_of[parts[3]] == "") {
      login_of[parts[3]] = parts[1];
      wanted_n--;
    }
  }
  close(file);
  RS = BLOCK;
  kind = "name";
  for (i = 1; i <= named_n; i++) {
    if (login_of[named[i]] != "") { emit(named[i] "\t" shown(login_of[named[i]])); }
  }
}

# --- further samples -------------------------------------------------------------------------------------------------

# Waits for a line "sample [brief] [+KIND...] [PID...]"; the PIDs are suspects, read in full even when far from any limit.
# A kind with KIND_asked() costs too much for every sample: it is read where the line names it. What a brief sample leaves
# out is told in processes.awk.
function next_pace(    line, got, i, count, words) {
  RS = "\n";
  got = (getline line < STDIN);
  if (got < 0 && STDIN != "-") { STDIN = "-"; got = (getline line < STDIN); }
  RS = BLOCK;
  if (got <= 0) { return 0; }
  count = split(line, words, " ");
  if (count < 1 || words[1] != "sample") {
    pace = line;
    each_pace();
    return next_pace();
  }
  # <brief>
  is_brief = (words[2] == "brief");
  # </brief>
  suspect_n = 0; asked_n = 0;
  forget(is_suspect); forget(is_asked);
  for (i = 2; i <= count && suspect_n + asked_n < 64; i++) {
    if (substr(words[i], 1, 1) == "+") { is_asked[substr(words[i], 2)] = 1; asked_n++; }
    if (length(words[i]) < 11 && words[i] ~ "^[0-9]+$") {
      suspects[++suspect_n] = words[i];
      is_suspect[words[i]] = 1;
    }
  }
  return 1;
}
