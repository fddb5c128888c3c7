# The walk over the processes, and what of each the kinds may ask for. See prelude.awk for how to write it.

# PIDs cannot be listed again without a fork. But the kernel gives them out in order: those born since the last look
# lie between the PID that was newest then and /proc/loadavg's newest now.
function walk(    text, i, last, top) {
  tasks_seen = 0; processes_seen = 0; kernel_threads_seen = 0; gone = 0; alive_n = 0;
  forget(met);
  # A watch lasts for months, and limits are anybody's to invent.
  if (limits_n > 500) { limits_n = 0; forget(limits_number); forget(limits_text); forget(soft_of); forget(hard_of); forget(kept_limits); }
  tasks_total = all_tasks();
  last = tasks_total != "" ? load[5] + 0 : newest_pid;
  unvisited = 0;
  text = spent_us();
  for (i = 1; i <= known_n; i++) {
    visit(known[i], 0);
    if (i % 500 == 0 && spent_us() - text > WALK_US) { unvisited = known_n - i; break; }
  }
  # Kept for the next sample, as the PIDs left out of a scan are kept in mind: what was missed once stays missed.
  for (i = known_n - unvisited + 1; i <= known_n; i++) { alive[++alive_n] = known[i]; }
  for (i = 1; i <= suspect_n; i++) { visit(suspects[i], 1); }
  if (unvisited) { unscanned += (last > newest_pid ? last - newest_pid : 0); }
  else if (last >= newest_pid) { scan(newest_pid + 1, last); }
  else {
    top = slurp(ROOT "/proc/sys/kernel/pid_max", 1) + 0;
    scan(newest_pid + 1, top - 1);
    scan(300, last);
  }
  if (!(unvisited) && tasks_total - tasks_seen > 16) { scan_all(slurp(ROOT "/proc/sys/kernel/pid_max", 1) + 0); }
  newest_pid = last;
  known_n = alive_n;
  for (i = 1; i <= alive_n; i++) { known[i] = alive[i]; }
}

# How many tasks the kernel counts now, "" where it does not say; `load` is then its line, split.
function all_tasks() {
  return split(first_line(slurp(ROOT "/proc/loadavg", 1)), load, " ") == 5 ? substr(load[4], index(load[4], "/") + 1) : "";
}

# Where few numbers exist they go around more than once between two looks: then all of them are looked at.
function scan_all(top) { if (top <= SCAN_LIMIT) { scan(300, top - 1); } }

# CPU time of this process so far, which is that of the login shell too: 0 where the kernel does not say.
function spent_us() { return int(slurp(ROOT "/proc/self/schedstat", 1) / 1000); }

function scan(first, last) {
  if (last - first >= SCAN_LIMIT) {
    unscanned += last - first + 1 - SCAN_LIMIT;
    first = last - SCAN_LIMIT + 1;
  }
  for (; first <= last; first++) {
    # As text: mawk 1.3.4 dies of arrays whose elements are deleted by number and by text.
    if (!((first "") in met)) { visit(first "", 1); }
  }
}

# Reads one process into globals and asks the kinds.
function visit(candidate, is_guess) {
  if (candidate in met) { return; }
  met[candidate] = 1;
  if (!(is_kept_thread(candidate) || is_read(candidate, is_guess))) { return; }
  pid = candidate;
  alive[++alive_n] = pid;
  is_kernel_thread = (vm_size < 0 && state != "Z");
  has_cgroup = 0; has_limits = 0;
  if (sample_n > FIRST_SAMPLE) { keep_or_lose(); }
  tasks_seen += threads; processes_seen++;
  if (is_kernel_thread) { kernel_threads_seen++; }
  each_process();
}

# A thread has a directory too, though none is listed: with `is_guess` only a PID that is its own Tgid counts.
function is_read(candidate, is_guess) {
  read_status(candidate);
  threads = status_number("Threads:");
  if (threads < 1) {
    if (!(is_guess)) { gone++; }
    if (candidate in kept_who) { lose(candidate); }
    return 0;
  }
  if (is_guess && status_number("Tgid:") != candidate + 0) { return 0; }
  uid = substr(status, index(status, "Uid:") + 5, 11);
  uid = substr(uid, 1, index(uid, "\t") - 1);
  state = substr(status, index(status, "State:") + 7, 1);
  vm_size = status_number("VmSize:");
  return 1;
}

# In a brief sample a thread of the kernel is what it was: one task of root without memory.
function is_kept_thread(candidate) {
  if (!(is_brief) || is_anew(candidate) || kept_who[candidate] != "kernel") { return 0; }
  threads = 1; uid = "0"; state = "S"; vm_size = -1; status = "";
  return 1;
}

function is_anew(number) { return (number + sample_n) % 6 == 0; }

# What seldom changes of a process, its cgroup and limits, is kept from the second sample on, for the brief samples of a
# watch: a sixth of all processes is read anew in each of them, and whoever bears another name or user than before.
function keep_or_lose(    who) {
  who = is_kernel_thread ? "kernel" : uid SUBSEP comm;
  if (!(is_brief) || is_anew(pid) || pid in is_suspect || kept_who[pid] != who) { lose(pid); }
  kept_who[pid] = who;
}

function lose(number) { delete kept_who[number]; delete kept_cgroup[number]; delete kept_limits[number]; }

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
# characters), as printed ("unlimited" or a count); 0 when they cannot be read. `is_unreadable` says that this is not
# because the process has ended. Most processes have the same limits: each text is looked through once.
function limit(key,    i, text) {
  if (!(has_limits)) {
    has_limits = 1;
    is_unreadable = 0;
    if (pid in kept_limits) { limits_id = kept_limits[pid]; }
    else { read_limits(); }
  }
  if (!(limits_id)) { return 0; }
  if (!((limits_id, key) in soft_of)) {
    text = limits_text[limits_id];
    i = index(text, key);
    soft = i ? first_word(substr(text, i + 27, 20)) : "";
    hard = i ? first_word(substr(text, i + 48, 20)) : "";
    if (substr(soft, 1, 1) == "u") { soft = "unlimited"; hard = soft; }
    soft_of[limits_id, key] = soft; hard_of[limits_id, key] = hard;
  }
  soft = soft_of[limits_id, key]; hard = hard_of[limits_id, key];
  return soft != "" && hard != "";
}

function read_limits(    text) {
  text = slurp(ROOT "/proc/" pid "/limits", 11);
  limits_id = 0;
  if (text == "") { is_unreadable = is_there(); return; }
  if (!(text in limits_number)) { limits_number[text] = ++limits_n; limits_text[limits_n] = text; }
  limits_id = limits_number[text];
  if (sample_n > FIRST_SAMPLE) { kept_limits[pid] = limits_id; }
}

function first_word(text) { return substr(text, 1, index(text " ", " ") - 1); }

function print_walk(    left) {
  kind = "walk";
  left = all_tasks();
  emit("processes=" processes_seen "\ttasks=" tasks_seen pair("total", tasks_total, tasks_total != "") pair("left", left, left != "") \
    "\tkernel_threads=" kernel_threads_seen "\tgone=" gone "\tunscanned=" (unscanned + 0) "\tunvisited=" unvisited);
}

# The present process has not ended.
function is_there() { return slurp(ROOT "/proc/" pid "/status", 1) != ""; }
