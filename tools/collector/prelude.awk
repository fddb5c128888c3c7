# What every kind shares: reading files, walking the processes once, printing tagged and bounded records, taking
# further samples on request. program.py puts the kinds behind this text, writes constants() and the each_*() calls,
# and squeezes all of it into one line. Keep to: no single quote, no doubled backslash, "!" only before "=" or "(",
# every statement ends in ";" "{" or "}", a comment has its own line. Text cut out of a file compares as text ("9" is
# more than "1137"): add 0 to it before comparing it with a number.

BEGIN {
  constants();
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
    while (++lines != most && (getline part < file) > 0) { text = text RS part; }
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
  return found ? first_line(substr(text, found + length(key), 600)) : "";
}

# A value fit to print: at most 400 bytes, control characters as \xNN. Bytes from 0x80 up stay (UTF-8).
function shown(value,    i, c, safe) {
  if (length(value) > 400) { value = substr(value, 1, 400) "~"; }
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

function file_pair(key, file,    text) {
  text = first_line(slurp(file, 1));
  return pair(key, text, readable > 0);
}

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
  forget(hot_cgroup); forget(hot_uid); forget(named_uid); forget(largest_n);
  hot_cgroups_n = 0; hot_uids_n = 0;
  kinds_left = KINDS;
  share_end = BUDGET;
  each_begin();
  if (WALKS) { walk(); }
  each_end();
  each_after();
  share_end = BUDGET;
  if (WALKS) { print_walk(); }
  print_names();
  text = slurp(ROOT "/proc/self/schedstat", 1);
  kind = "end";
  share_end = BUDGET + 1000;
  emit("printed=" (printed + 1) "\tsuppressed=" (suppressed + 0) "\ttruncated=" cut_kinds \
    pair("uptime", after("\n" slurp(ROOT "/proc/uptime", 1), "\n"), readable > 0) \
    pair("cpu_us", sprintf("%.0f", text / 1000), text != "") \
    pair("awk", (("version" in PROCINFO) ? "gawk" : ARGV[0]), 1) cut_pairs());
  # One write for all of it where the output is not buffered (mawk -W interactive).
  printf "%s", answer;
  fflush();
  answer = "";
}

function cut_pairs(    i, count, names, pairs) {
  count = split(cut_kinds, names, ",");
  for (i = 1; i <= count; i++) { pairs = pairs "\tcut." names[i] "=" cut[names[i]]; }
  return pairs;
}

# --- the processes -------------------------------------------------------------------------------------------------

# PIDs cannot be listed again without a fork. But the kernel gives them out in order: those born since the last look
# lie between the PID that was newest then and /proc/loadavg's newest now.
function walk(    text, i, count, parts, last, top) {
  tasks_seen = 0; processes_seen = 0; kernel_threads_seen = 0; gone = 0; unscanned = 0; alive_n = 0;
  forget(met);
  text = first_line(slurp(ROOT "/proc/loadavg", 1));
  count = split(text, parts, " ");
  tasks_total = count == 5 ? substr(parts[4], index(parts[4], "/") + 1) : "";
  last = count == 5 ? parts[5] + 0 : newest_pid;
  for (i = 1; i <= known_n; i++) { visit(known[i], 0); }
  for (i = 1; i <= suspect_n; i++) { visit(suspects[i], 1); }
  if (last >= newest_pid) { scan(newest_pid + 1, last); }
  else {
    top = slurp(ROOT "/proc/sys/kernel/pid_max", 1) + 0;
    scan(newest_pid + 1, top - 1);
    scan(300, last);
  }
  newest_pid = last;
  known_n = alive_n;
  for (i = 1; i <= alive_n; i++) { known[i] = alive[i]; }
}

function scan(first, last) {
  if (last - first >= SCAN_LIMIT) {
    unscanned += last - first + 1 - SCAN_LIMIT;
    first = last - SCAN_LIMIT + 1;
  }
  for (; first <= last; first++) {
    if (!(first in met)) { visit(first, 1); }
  }
}

# Reads one process into globals and asks the kinds. A thread has a directory too, though none is listed: with
# `is_guess` only a PID that is its own Tgid counts.
function visit(candidate, is_guess) {
  if (candidate in met) { return; }
  met[candidate] = 1;
  read_status(candidate);
  threads = status_number("Threads:");
  if (threads < 1) {
    if (!(is_guess)) { gone++; }
    return;
  }
  if (is_guess && status_number("Tgid:") != candidate + 0) { return; }
  pid = candidate;
  alive[++alive_n] = pid;
  uid = substr(status, index(status, "Uid:") + 5, 11);
  uid = substr(uid, 1, index(uid, "\t") - 1);
  state = substr(status, index(status, "State:") + 7, 1);
  vm_size = status_number("VmSize:");
  is_kernel_thread = (vm_size < 0 && state != "Z");
  has_cgroup = 0; has_limits = 0;
  tasks_seen += threads; processes_seen++;
  if (is_kernel_thread) { kernel_threads_seen++; }
  each_process();
}

# Sets `comm` and `status`: what the kernel says behind the name, so that no name can pass for a line of it. In line
# mode reading ends with the line of CapEff, whose place the first process with memory tells.
function read_status(candidate,    i, parts) {
  status = slurp(ROOT "/proc/" candidate "/status", status_lines);
  if (RS == "\n") {
    i = index(status, "\nCapEff:");
    if (i && status_lines == 0 && index(status, "\nVmSize:")) { status_lines = split(substr(status, 1, i), parts, "\n"); }
    if (i == 0 && status_lines > 0) { status = slurp(ROOT "/proc/" candidate "/status", 0); }
  }
  i = index(status, "\n");
  comm = substr(status, 7, i - 7);
  status = substr(status, i + 1);
}

# A number of the present process's status (kB where that says so); -1 when the line is missing.
function status_number(key,    i) {
  i = index(status, key);
  return i ? substr(status, i + length(key), 24) + 0 : -1;
}

# The present process's limits, read once: `soft` and `hard` of the line that begins with `key` (of at most 26
# characters), as printed ("unlimited" or a count); 0 when they cannot be read.
function limit(key,    i) {
  if (!(has_limits)) { limits_text = slurp(ROOT "/proc/" pid "/limits", 11); has_limits = 1; }
  i = index(limits_text, key);
  if (!(i)) { return 0; }
  if (substr(limits_text, i + 27, 1) == "u") { soft = "unlimited"; hard = soft; return 1; }
  soft = substr(limits_text, i + 27, 20); soft = substr(soft, 1, index(soft " ", " ") - 1);
  hard = substr(limits_text, i + 48, 20); hard = substr(hard, 1, index(hard " ", " ") - 1);
  return soft != "" && hard != "";
}

function print_walk() {
  kind = "walk";
  emit("processes=" processes_seen "\ttasks=" tasks_seen pair("total", tasks_total, tasks_total != "") \
    "\tkernel_threads=" kernel_threads_seen "\tgone=" gone "\tunscanned=" unscanned);
}

# --- control groups ------------------------------------------------------------------------------------------------

# Where the present process stands: `pids_path`, `memory_path` ("" where that controller is not), and `path`.
function read_cgroup(    text) {
  if (has_cgroup) { return; }
  has_cgroup = 1;
  find_controllers();
  text = "\n" slurp(ROOT "/proc/" pid "/cgroup", 0);
  pids_path = pids_key == "" ? "" : after(text, pids_key);
  memory_path = memory_key == pids_key ? pids_path : (memory_key == "" ? "" : after(text, memory_key));
  path = pids_path != "" ? pids_path : (memory_path != "" ? memory_path : after(text, "\n0::"));
}

# Decides per controller: a v1 hierarchy that names it, else the v2 hierarchy if that has it at its root.
function find_controllers(    text) {
  if (has_controllers) { return; }
  has_controllers = 1;
  self_cgroup = "\n" slurp(ROOT "/proc/self/cgroup", 0) "\n";
  pids_key = controller_key("pids");
  memory_key = controller_key("memory");
  has_unified = index(self_cgroup, "\n0::") > 0;
  find_mounts();
  if (has_unified && unified_mount != "") {
    text = " " first_line(slurp(ROOT unified_mount "/cgroup.controllers", 1)) " ";
    if (pids_key == "" && index(text, " pids ")) { pids_key = "\n0::"; }
    if (memory_key == "" && index(text, " memory ")) { memory_key = "\n0::"; }
  }
  if (pids_key == "\n0::") { pids_mount = unified_mount; pids_root = unified_root; }
  if (memory_key == "\n0::") { memory_mount = unified_mount; memory_root = unified_root; }
}

# "\n8:pids:" of "8:pids:/path": the same prefix in every process's file.
function controller_key(name,    i, count, lines, parts) {
  count = split(self_cgroup, lines, "\n");
  for (i = 1; i <= count; i++) {
    if (split(lines[i], parts, ":") >= 3 && index("," parts[2] ",", "," name ",")) {
      return "\n" parts[1] ":" parts[2] ":";
    }
  }
  return "";
}

# The first mount of each hierarchy: mount point and the part of the hierarchy it shows. mountinfo is long on hosts
# of containers, so reading ends when nothing is missing.
function find_mounts(    line, file, parts, tail, missing) {
  file = ROOT "/proc/self/mountinfo";
  missing = (pids_key != "") + (memory_key != "") + has_unified;
  RS = "\n";
  while (missing > 0 && (getline line < file) > 0) {
    tail = index(line, " - cgroup");
    if (tail) {
      split(line, parts, " ");
      tail = substr(line, tail + 3);
      if (index(tail, "cgroup2 ") == 1) {
        if (unified_mount == "") {
          unified_mount = parts[5]; unified_root = parts[4]; unified_options = tail; missing--;
        }
      } else {
        tail = "," substr(tail, index(tail, " rw") + 1) ",";
        if (pids_key != "" && pids_mount == "" && index(tail, ",pids,")) {
          pids_mount = parts[5]; pids_root = parts[4]; missing--;
        }
        if (memory_key != "" && memory_mount == "" && index(tail, ",memory,")) {
          memory_mount = parts[5]; memory_root = parts[4]; missing--;
        }
      }
    }
  }
  close(file);
  RS = BLOCK;
}

# A process of another cgroup namespace has a path that climbs out of this one.
function is_outside(path) { return path == "/.." || index(path, "/../") == 1; }

# The directory of a cgroup, "" when it lies outside of what is mounted here.
function cgroup_directory(mount, root, path) {
  if (mount == "" || is_outside(path)) { return ""; }
  if (root != "/") {
    if (path == root) { return ROOT mount; }
    if (index(path, root "/") != 1) { return ""; }
    return ROOT mount substr(path, length(root) + 1);
  }
  return ROOT mount (path == "/" ? "" : path);
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
function name_uid(number) { named_uid[number] = 1; return number; }

function name_path(text,    i) {
  i = index(text, "/user-");
  if (i && substr(text, i + 6) ~ "^[0-9]+[.]slice") {
    i = substr(text, i + 6, 12);
    name_uid(substr(i, 1, index(i, ".") - 1));
  }
  return shown(text);
}

function print_names(    line, file, parts) {
  kind = "name";
  file = ROOT "/etc/passwd";
  RS = "\n";
  while ((getline line < file) > 0) {
    if (split(line, parts, ":") >= 3 && parts[3] in named_uid) {
      emit(parts[3] "\t" shown(parts[1]));
      delete named_uid[parts[3]];
    }
  }
  close(file);
  RS = BLOCK;
}

# --- further samples -------------------------------------------------------------------------------------------------

# Waits for a line "sample [PID...]"; the PIDs are suspects, read in full even when far from any limit.
function next_pace(    line, got, i, count, words) {
  RS = "\n";
  got = (getline line < STDIN);
  if (got < 0 && STDIN != "-") { STDIN = "-"; got = (getline line < STDIN); }
  RS = BLOCK;
  if (got <= 0) { return 0; }
  count = split(line, words, " ");
  if (count < 1 || words[1] != "sample") { return next_pace(); }
  suspect_n = 0;
  forget(is_suspect);
  for (i = 2; i <= count && suspect_n < 64; i++) {
    if (length(words[i]) < 11 && words[i] ~ "^[0-9]+$") {
      suspects[++suspect_n] = words[i];
      is_suspect[words[i]] = 1;
    }
  }
  return 1;
}
