# What the kernel counted at memory limits and who it killed, by cgroup: memory.events and its .local of every group on a
# process's path and of the first level (given as operands: a group without a process is on nobody's path), on v1 failcnt and
# oom_control. Beside it the largest processes with their scores, and programs that kill before the kernel does.
function memory_events_begin(    i) {
  forget(memev_is_known); forget(memev_tier); forget(memev_comm); forget(memev_uid); forget(memev_path);
  forget(memev_count); forget(memev_tame); forget(memev_stuck);
  memev_n = 0; memev_absent = 0; memev_outside = 0; memev_killers_n = 0; memev_groups_n = 0;
  find_controllers();
  if (memory_key == "") { return; }
  memev_enter("/");
  for (i = 1; i <= listed_n; i++) { memev_enter_listed(listed[i]); }
}

# "/sys/fs/cgroup/acme.slice/memory.events" of the shell's glob: the group's own path below the mount.
function memev_enter_listed(file,    i) {
  i = length(ROOT memory_mount);
  if (substr(file, 1, i) != ROOT memory_mount) { return; }
  file = substr(file, i + 1);
  i = index(file, "/memory.");
  if (i < 2) { return; }
  file = substr(file, 1, i - 1);
  if (substr(file, 1, 1) != "/" || index(substr(file, 2), "/") || index(file, "*")) { return; }
  memev_groups_n++;
  memev_enter((memory_root == "/" ? "" : memory_root) file);
}

function memory_events_process(    rest, prefix, i) {
  if (is_kernel_thread) { return; }
  read_cgroup();
  if (vm_rss > 0) {
    keep_largest("memev", pid, vm_rss, 8);
    memev_comm[pid] = comm; memev_uid[pid] = uid; memev_path[pid] = path;
  }
  if (index(" systemd-oomd earlyoom nohang kubelet ", " " comm " ") && memev_killers_n < 6) {
    memev_killer[++memev_killers_n] = pid;
    memev_comm[pid] = comm; memev_uid[pid] = uid; memev_path[pid] = path;
  }
  if (memory_path == "" || memory_path in memev_is_known) { return; }
  rest = is_outside(memory_path) ? "" : substr(memory_path, 2);
  while ((i = index(rest, "/")) > 0) {
    prefix = prefix "/" substr(rest, 1, i - 1);
    rest = substr(rest, i + 1);
    memev_enter(prefix);
  }
  memev_enter(memory_path);
}

function memev_enter(path) {
  if (path in memev_is_known) { return; }
  memev_is_known[path] = 1;
  memev_list[++memev_n] = path;
}

function memory_events_end(    i, tier, name, ooms, kills) {
  for (i = 1; i <= memev_n; i++) { memev_tier[i] = memev_read(memev_list[i]); }
  ooms = memev_sum(memory_key == "\n0::" ? "below_oom" : "hit"); kills = memev_sum(memory_key == "\n0::" ? "below_kill" : "kill");
  emit("all\tmode=" (memory_key == "" ? "none" : (memory_key == "\n0::" ? "v2" : "v1")) "\tmount=" memory_mount \
    "\troot=" memory_root "\tcgroups=" memev_n "\tabsent=" memev_absent "\toutside=" memev_outside \
    pair("ooms", ooms, ooms != "") pair("kills", kills, kills != "") \
    file_pair("nodes", ROOT "/sys/devices/system/node/online") file_pair("panic", ROOT "/proc/sys/vm/panic_on_oom") \
    file_pair("allocating", ROOT "/proc/sys/vm/oom_kill_allocating_task") "\tlisted=" memev_groups_n);
  for (tier = 3; tier > 0; tier--) {
    for (i = 1; i <= memev_n; i++) { if (memev_tier[i] == tier) { memev_print(memev_list[i]); } }
  }
  for (i = 1; i <= memev_killers_n; i++) { memev_print_process("killer", memev_killer[i]); }
  for (i = 1; i <= largest_n["memev"]; i++) {
    memev_print_process("top", largest["memev", i], "\t" sprintf("%.0f", largest_value["memev", i]) "\t" \
      memev_score(largest["memev", i], "oom_score_adj") "\t" memev_score(largest["memev", i], "oom_score"));
  }
  forget(memev_before); forget(memev_seen);
  for (name in memev_count) { memev_before[name] = memev_count[name]; }
  for (i = 1; i <= memev_n; i++) { if (memev_tier[i] != "") { memev_seen[memev_list[i]] = 1; } }
}

# On v2 a group counts for all below it, so the first level has everything; a cgroup namespace counts at its root. On v1 each
# counts for itself.
function memev_sum(name,    i, path, sum) {
  if (memory_key == "\n0::" && ("/", name) in memev_count) { return memev_count["/", name]; }
  for (i = 1; i <= memev_n; i++) {
    path = memev_list[i];
    if ((path, name) in memev_count && (memory_key != "\n0::" || index(substr(path, 2), "/") == 0)) { sum += memev_count[path, name]; }
  }
  return sum == "" ? "" : sprintf("%.0f", sum);
}

function memev_print_process(what, number, more) { emit(head(what, number, memev_comm[number], memev_uid[number], memev_path[number]) more); }

function memev_score(number, name,    text) {
  text = first_line(slurp(ROOT "/proc/" number "/" name, 1));
  return readable > 0 ? shown(text) : "?";
}

# The tier to print it with, "" when it could not be read: 3 its own limit refused, or it is nearly full; 2 somebody in it was
# killed; 1 below it, or it is slowed down.
function memev_read(path,    directory, text, max) {
  directory = cgroup_directory(memory_mount, memory_root, path);
  if (directory == "") { memev_outside++; return ""; }
  if (memory_key != "\n0::") { return memev_read_v1(path, directory); }
  text = "\n" slurp(directory "/memory.events", 0);
  if (readable <= 0) { if (path != "/") { memev_absent++; } return ""; }
  memev_note(path, "below_oom", text, "\noom ");
  memev_note(path, "below_kill", text, "\noom_kill ");
  if (!(text ~ "\n(high|max|oom|oom_kill|oom_group_kill) [1-9]")) { return 0; }
  memev_note(path, "group", text, "\noom_group_kill ");
  text = "\n" slurp(directory "/memory.events.local", 0);
  memev_note(path, "oom", text, "\noom ");
  memev_note(path, "kill", text, "\noom_kill ");
  memev_note(path, "high", text, "\nhigh ");
  memev_note(path, "hit", text, "\nmax ");
  if (memev_count[path, "oom"] > 0) { return 3; }
  if (memev_count[path, "hit"] > 0) {
    max = first_line(slurp(directory "/memory.max", 1));
    if (max != "max" && first_line(slurp(directory "/memory.current", 1)) * 50 >= max * 49) { return 3; }
  }
  if (memev_count[path, "kill"] > 0) { return 2; }
  return memev_count[path, "below_kill"] > 0 || memev_count[path, "below_oom"] > 0 || memev_count[path, "high"] > 0 ? 1 : 0;
}

function memev_read_v1(path, directory,    text) {
  text = "\n" slurp(directory "/memory.oom_control", 0);
  if (readable <= 0) { if (path != "/") { memev_absent++; } return ""; }
  memev_note(path, "kill", text, "\noom_kill ");
  memev_tame[path] = after(text, "\noom_kill_disable ");
  memev_stuck[path] = after(text, "\nunder_oom ");
  memev_note(path, "hit", "\n" slurp(directory "/memory.failcnt", 1), "\n");
  if (memev_stuck[path] == 1 && memev_tame[path] == 1) { return 3; }
  return memev_count[path, "kill"] > 0 ? 2 : (memev_count[path, "hit"] > 0 ? 1 : 0);
}

function memev_note(path, name, text, key) {
  text = after(text, key);
  if (found && text != "") { memev_count[path, name] = text + 0; }
}

function memev_print(path,    directory) {
  directory = cgroup_directory(memory_mount, memory_root, path);
  emit("at\t" name_path(path) memev_pair(path, "oom") memev_pair(path, "kill") memev_pair(path, "below_oom") \
    memev_pair(path, "below_kill") memev_pair(path, "high") memev_pair(path, "hit") "\t" memev_known(path, "group"));
  if (memory_key != "\n0::") {
    emit("use\t" name_path(path) "\t" memev_file(directory "/memory.limit_in_bytes") "\t" \
      memev_file(directory "/memory.usage_in_bytes") "\t?\t?\t?\t?\t?\t?\t?\t?\t" shown(memev_tame[path]) "\t" shown(memev_stuck[path]));
  } else if (memev_count[path, "oom"] > 0 || memev_count[path, "hit"] > 0 || memev_count[path, "high"] > 0) { memev_print_use(path, directory); }
}

function memev_print_use(path, directory,    text, kernel, pressure) {
  text = "\n" slurp(directory "/memory.stat", 0);
  kernel = after(text, "\nkernel ");
  if (!(found)) {
    kernel = after(text, "\nkernel_stack ") + after(text, "\npagetables ") + after(text, "\npercpu ") + after(text, "\nsock ") + after(text, "\nslab ");
  }
  kernel = kernel - after(text, "\nslab_reclaimable ");
  pressure = after("\n" slurp(directory "/memory.pressure", 0), "\nfull avg10=");
  pressure = found ? substr(pressure, 1, index(pressure " ", " ") - 1) : "?";
  emit("use\t" name_path(path) "\t" memev_file(directory "/memory.max") "\t" memev_file(directory "/memory.current") "\t" \
    memev_file(directory "/memory.high") "\t" memev_file(directory "/memory.swap.max") "\t" memev_file(directory "/memory.swap.current") "\t" \
    memev_stat(text, "anon") "\t" memev_stat(text, "shmem") "\t" (text == "\n" ? "?" : sprintf("%.0f", kernel > 0 ? kernel : 0)) "\t" \
    memev_stat(text, "file") "\t" pressure "\t" memev_file(directory "/memory.oom.group"));
}

function memev_stat(text, key) {
  text = after(text, "\n" key " ");
  return found ? shown(text) : "?";
}

function memev_file(file,    text) {
  text = first_line(slurp(file, 1));
  return readable > 0 ? shown(text) : "?";
}

# Now and one sample before.
function memev_pair(path, name) {
  return "\t" memev_known(path, name) "\t" ((path, name) in memev_before ? sprintf("%.0f", memev_before[path, name]) : (path in memev_seen ? "0" : "?"));
}

function memev_known(path, name) { return (path, name) in memev_count ? sprintf("%.0f", memev_count[path, name]) : "?"; }
