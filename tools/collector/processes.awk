# The walk over the processes, and what of each the kinds may ask for. See prelude.awk for how to write it.

# PIDs cannot be listed again without a fork. But the kernel gives them out in order: those born since the last look
# lie between the PID that was newest then and /proc/loadavg's newest now.
function walk(    text, i, top) {
  tasks_seen = 0; processes_seen = 0; kernel_threads_seen = 0; gone = 0; alive_n = 0;
  forget(met); forget(noted_comm); forget(noted_uid); forget(noted_path); forget(alike_n); forget(pids_listed); forget(memory_listed);
  # <brief>
  # A watch lasts for months, and limits are anybody's to invent.
  if (limits_n > 500) { limits_n = 0; forget(limits_number); forget(limits_text); forget(soft_of); forget(hard_of); forget(kept_limits); }
  # </brief>
  tasks_total = all_tasks();
  last_pid = tasks_total != "" ? load[5] + 0 : newest_pid;
  unvisited = 0;
  text = spent_us();
  # <brief>
  tells_run_time = (text > 0);
  # </brief>
  # Those alive take the places of those gone: alive_n is never ahead of i.
  for (i = 1; i <= known_n; i++) {
    visit(known[i], 0);
    if (i % 500 == 0 && spent_us() - text > WALK_US) { unvisited = known_n - i; break; }
  }
  # Kept for the next sample, as the PIDs left out of a scan are kept in mind: what was missed once stays missed.
  for (i = known_n - unvisited + 1; i <= known_n; i++) { known[++alive_n] = known[i]; }
  for (i = 1; i <= suspect_n; i++) { visit(suspects[i], 1); }
  if (unvisited) { unscanned += (last_pid > newest_pid ? last_pid - newest_pid : 0); }
  else if (last_pid >= newest_pid) { scan(newest_pid + 1, last_pid); }
  else {
    top = slurp(ROOT "/proc/sys/kernel/pid_max", 1) + 0;
    scan(newest_pid + 1, top - 1);
    scan(300, last_pid);
  }
  if (!(unvisited) && tasks_total - tasks_seen > 16) { scan_all(slurp(ROOT "/proc/sys/kernel/pid_max", 1) + 0); }
  newest_pid = last_pid;
  known_n = alive_n;
}

# How many tasks the kernel counts now, "" where it does not say; `load` is then its line, split.
function all_tasks() {
  return split(line_of(ROOT "/proc/loadavg"), load, " ") == 5 ? substr(load[4], index(load[4], "/") + 1) : "";
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

# Reads one process into globals, once in a sample, and asks the kinds.
function visit(candidate, is_guess) {
  if (candidate in met) { return; }
  met[candidate] = 1;
  # <brief>
  is_as_kept = (is_brief && candidate in kept_clock && is_unchanged(candidate));
  # </brief>
  if (!(is_as_kept || is_read(candidate, is_guess))) { return; }
  pid = candidate;
  known[++alive_n] = pid;
  is_kernel_thread = (vm_size < 0 && state != "Z");
  has_cgroup = 0; has_limits = 0;
  # <brief>
  if (!(is_as_kept) && sample_n > FIRST_SAMPLE) { keep(); }
  # </brief>
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
    # <brief>
    if (candidate in kept_clock) { lose(candidate); }
    # </brief>
    return 0;
  }
  if (is_guess && status_number("Tgid:") != candidate + 0) { return 0; }
  uid = substr(status, index(status, "Uid:") + 5, 11);
  uid = substr(uid, 1, index(uid, "\t") - 1);
  state = substr(status, index(status, "State:") + 7, 1);
  vm_size = status_number("VmSize:");
  vm_data = vm_size < 0 ? -1 : status_number("VmData:");
  vm_rss = vm_size < 0 ? -1 : status_number("VmRSS:");
  return 1;
}

# --- what is kept for the brief samples of a watch, from the second sample on ------------------------------------------

# <brief>
# Sets what a process was found to be, where the kernel's account of it shows that it has not run since. Of a single
# thread that is /proc/PID/schedstat, to the nanosecond. Of several, or in a PID namespace (whose processes are known by
# their parents), it is /proc/PID/stat: start, parent, threads, memory, and CPU time to 10 ms only, so all is read anew at
# its turn, for the user may have changed. At its turn, too, what changes from outside: cgroup, limits, memory taken away.
# The account was read before what it vouches for: whoever ran in between is read once more.
function is_unchanged(number,    clock, line, parts) {
  clock = kept_clock[number];
  if (number in is_suspect || clock == "/stat" && is_turn(number, 6)) { return 0; }
  if (clock == "kernel") {
    # One task of root without memory as long as it lives.
    if (is_given_out(number) || is_turn(number, 6) && slurp(ROOT "/proc/" number "/statm", 1) == "") { return 0; }
    threads = 1; uid = "0"; state = "S"; vm_size = -1; status = "";
    return 1;
  }
  line = slurp(ROOT "/proc/" number clock, clock == "/schedstat");
  if (line == "" || line != kept_line[number]) {
    if (is_given_out(number)) { lose(number); }
    else { kept_line[number] = line; }
    return 0;
  }
  if (is_turn(number, 12)) {
    lose_outside(number);
    # Counted in pages; how large one is, the first process with memory tells. Who shares another's memory may be larger.
    if (split(slurp(ROOT "/proc/" number "/statm", 1), parts, " ") > 1 && parts[1] > 0) {
      if (kb_per_page == "") { kb_per_page = kept_size[number] / parts[1]; }
      if (parts[1] * kb_per_page != kept_size[number]) { return 0; }
      kept_rss[number] = parts[2] * kb_per_page;
    }
  }
  comm = kept_comm[number]; uid = kept_uid[number]; state = kept_state[number]; threads = kept_threads[number];
  vm_size = kept_size[number]; vm_data = kept_data[number]; vm_rss = kept_rss[number]; status = kept_status[number];
  return 1;
}

# This number was given out since the last look.
function is_given_out(number) {
  number = number + 0;
  return last_pid >= newest_pid ? number > newest_pid && number <= last_pid : number > newest_pid || number <= last_pid;
}

# Every process has its turn in one of so many samples.
function is_turn(number, samples) { return (number + sample_n) % samples == 0; }

function keep(    clock, nested) {
  if (!(is_brief) || is_turn(pid, 6) || pid in is_suspect || kept_uid[pid] != uid || kept_comm[pid] != comm) { lose_outside(pid); }
  nested = after(status, "NSpid:\t");
  nested = index(nested, "\t") ? "NSpid:\t" nested "\nPPid:\t" after(status, "PPid:\t") "\n" : "";
  # A process that ends has no memory either, but not kthreadd for a parent.
  clock = tells_run_time && threads == 1 && nested == "" ? "/schedstat" : "/stat";
  if (is_kernel_thread && status_number("PPid:") == 2) { clock = "kernel"; }
  if (kept_clock[pid] != clock) { kept_clock[pid] = clock; kept_line[pid] = ""; }
  kept_comm[pid] = comm; kept_uid[pid] = uid;
  delete kept_maps[pid];
  if (clock == "kernel") { return; }
  kept_state[pid] = state; kept_threads[pid] = threads;
  kept_size[pid] = vm_size; kept_data[pid] = vm_data; kept_rss[pid] = vm_rss;
  kept_status[pid] = nested "FDSize:\t" after(status, "FDSize:\t") "\nCapEff:\t" after(status, "CapEff:\t");
}

function lose(number) {
  lose_outside(number);
  delete kept_clock[number]; delete kept_line[number]; delete kept_comm[number];
  delete kept_uid[number]; delete kept_state[number]; delete kept_threads[number]; delete kept_size[number];
  delete kept_data[number]; delete kept_rss[number]; delete kept_status[number];
}

function lose_outside(number) {
  delete kept_path[number]; delete kept_pids_path[number]; delete kept_memory_path[number];
  delete kept_limits[number]; delete kept_maps[number];
}
# </brief>

# --- reading -----------------------------------------------------------------------------------------------------------

# Sets `comm` and `status`: what the kernel says behind the name, so that no name can pass for a line of it. In line
# mode reading ends with the line of CapEff, whose place the first process with memory tells.
function read_status(candidate,    i, parts) {
  status = slurp(ROOT "/proc/" candidate "/status", status_lines);
  if (RS == "\n" && status != "") {
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
function limit(key,    i, text, entry) {
  if (!(has_read_limits())) { return 0; }
  entry = limits_id key;
  if (!(entry in soft_of)) {
    text = limits_text[limits_id];
    i = index(text, key);
    soft = i ? first_word(substr(text, i + 27, 20)) : "";
    hard = i ? first_word(substr(text, i + 48, 20)) : "";
    if (substr(soft, 1, 1) == "u") { soft = "unlimited"; hard = soft; }
    soft_of[entry] = soft; hard_of[entry] = hard;
  }
  soft = soft_of[entry]; hard = hard_of[entry];
  return soft != "" && hard != "";
}

# `limits_id` is the same for all processes with the same limits.
function has_read_limits() {
  if (!(has_limits)) {
    has_limits = 1;
    is_unreadable = 0;
    # <brief>
    if (pid in kept_limits) { limits_id = kept_limits[pid]; return limits_id; }
    # </brief>
    read_limits();
  }
  return limits_id;
}

function read_limits(    text) {
  text = slurp(ROOT "/proc/" pid "/limits", 11);
  limits_id = 0;
  if (text == "") { is_unreadable = is_there(pid); return; }
  limits_id = limits_number[text];
  if (limits_id == "") { limits_id = limits_number[text] = ++limits_n; limits_text[limits_id] = text; }
  # <brief>
  if (sample_n > FIRST_SAMPLE) { kept_limits[pid] = limits_id; }
  # </brief>
}

function first_word(text) { return substr(text, 1, index(text " ", " ") - 1); }

function print_walk(    left) {
  kind = "walk";
  left = all_tasks();
  emit("processes=" processes_seen "\ttasks=" tasks_seen pair("total", tasks_total, tasks_total != "") pair("left", left, left != "") \
    "\tkernel_threads=" kernel_threads_seen "\tgone=" gone "\tunscanned=" (unscanned + 0) "\tunvisited=" unvisited);
}

# The process has not ended.
function is_there(pid) { return slurp(ROOT "/proc/" pid "/status", 1) != ""; }
