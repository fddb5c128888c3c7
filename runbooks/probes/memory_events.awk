# What the kernel counted at memory limits and who it killed, by cgroup: memory.events and its .local of every group on a
# process's path and of the first level (given as operands: a group without a process is on nobody's path), on v1 failcnt and
# oom_control. Beside it the largest processes with their scores, and programs that kill before the kernel does.
function memory_events_begin() {
  forget(memev_tier); forget(memev_count); forget(memev_tame); forget(memev_stuck);
  memev_n = 0; memev_absent = 0; memev_outside = 0; memev_killers_n = 0; memev_groups_n = 0;
  find_controllers();
  if (memory_key == "") { return; }
  add_group("memory", "/");
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
  file = (memory_root == "/" ? "" : memory_root) file;
  if (!(("memory", file) in tree_above)) { memev_list[++memev_n] = file; }
}

function memory_events_process() {
  if (is_kernel_thread) { return; }
  read_cgroup();
  if (vm_rss > 0 && (largest_n["memev"] < 8 || vm_rss > largest_value["memev", 8])) {
    note_process();
    keep_largest("memev", pid, vm_rss, 8);
  }
  if (index(" systemd-oomd earlyoom nohang kubelet ", " " comm " ") && memev_killers_n < 6) {
    memev_killer[++memev_killers_n] = pid;
    note_process();
  }
  if (memory_path != "") { add_group("memory", memory_path); }
}

function memory_events_end(    i, tier, name, ooms, kills) {
  for (i = 1; i <= listed_n && memory_key != ""; i++) { memev_enter_listed(listed[i]); }
  for (i = tree_n["memory"]; i > 0; i--) { memev_list[memev_n + i] = tree_list["memory", i]; }
  memev_n += tree_n["memory"];
  for (i = 1; i <= memev_n; i++) { memev_tier[i] = memev_read(memev_list[i]); }
  ooms = memev_sum(memory_key == "\n0::" ? "below_oom" : "hit"); kills = memev_sum(memory_key == "\n0::" ? "below_kill" : "kill");
  emit(tree_head(memory_key, memory_mount, memory_root) "\tcgroups=" memev_n "\tabsent=" memev_absent "\toutside=" memev_outside \
    pair("ooms", ooms, ooms != "") pair("kills", kills, kills != "") \
    file_pair("nodes", ROOT "/sys/devices/system/node/online") sys_pairs("vm/", "panic_on_oom oom_kill_allocating_task") "\tlisted=" memev_groups_n);
  for (tier = 3; tier > 0; tier--) {
    for (i = 1; i <= memev_n; i++) { if (memev_tier[i] == tier) { memev_print(memev_list[i]); } }
  }
  for (i = 1; i <= memev_killers_n; i++) { emit(noted_head("killer", memev_killer[i])); }
  for (i = 1; i <= largest_n["memev"]; i++) {
    name = largest["memev", i];
    emit(noted_head("top", name) "\t" whole(largest_value["memev", i]) "\t" \
      or_unknown(line_of(ROOT "/proc/" name "/oom_score_adj")) "\t" or_unknown(line_of(ROOT "/proc/" name "/oom_score")));
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
  return sum == "" ? "" : whole(sum);
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
  if (memev_at(path, "oom") > 0) { return 3; }
  if (memev_at(path, "hit") > 0) {
    max = line_of(directory "/memory.max");
    if (max != "max" && line_of(directory "/memory.current") * 50 >= max * 49) { return 3; }
  }
  if (memev_at(path, "kill") > 0) { return 2; }
  return memev_at(path, "below_kill") > 0 || memev_at(path, "below_oom") > 0 || memev_at(path, "high") > 0 ? 1 : 0;
}

function memev_read_v1(path, directory,    text) {
  text = "\n" slurp(directory "/memory.oom_control", 0);
  if (readable <= 0) { if (path != "/") { memev_absent++; } return ""; }
  memev_note(path, "kill", text, "\noom_kill ");
  memev_tame[path] = after(text, "\noom_kill_disable ");
  memev_stuck[path] = after(text, "\nunder_oom ");
  memev_note(path, "hit", "\n" slurp(directory "/memory.failcnt", 1), "\n");
  if (memev_stuck[path] == 1 && memev_tame[path] == 1) { return 3; }
  return memev_at(path, "kill") > 0 ? 2 : (memev_at(path, "hit") > 0 ? 1 : 0);
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
    emit("use\t" name_path(path) "\t" or_unknown(line_of(directory "/memory.limit_in_bytes")) "\t" \
      or_unknown(line_of(directory "/memory.usage_in_bytes")) "\t?\t?\t?\t?\t?\t?\t?\t?\t" shown(memev_tame[path]) "\t" shown(memev_stuck[path]));
  } else if (memev_at(path, "oom") > 0 || memev_at(path, "hit") > 0 || memev_at(path, "high") > 0) { memev_print_use(path, directory); }
}

function memev_print_use(path, directory,    text, kernel, pressure) {
  text = "\n" slurp(directory "/memory.stat", 0);
  kernel = after(text, "\nkernel ");
  if (!(found)) {
    kernel = after(text, "\nkernel_stack ") + after(text, "\npagetables ") + after(text, "\npercpu ") + after(text, "\nsock ") + after(text, "\nslab ");
  }
  kernel = kernel - after(text, "\nslab_reclaimable ");
  pressure = after("\n" slurp(directory "/memory.pressure", 0), "\nfull avg10=");
  pressure = found ? first_word(pressure) : "?";
  emit("use\t" name_path(path) "\t" or_unknown(line_of(directory "/memory.max")) "\t" or_unknown(line_of(directory "/memory.current")) "\t" \
    or_unknown(line_of(directory "/memory.high")) "\t" or_unknown(line_of(directory "/memory.swap.max")) "\t" or_unknown(line_of(directory "/memory.swap.current")) "\t" \
    memev_stat(text, "anon") "\t" memev_stat(text, "shmem") "\t" (text == "\n" ? "?" : whole(kernel > 0 ? kernel : 0)) "\t" \
    memev_stat(text, "file") "\t" pressure "\t" or_unknown(line_of(directory "/memory.oom.group")));
}

function memev_stat(text, key) {
  text = after(text, "\n" key " ");
  return found ? shown(text) : "?";
}

# Now and one sample before.
function memev_pair(path, name) {
  return "\t" memev_known(path, name) "\t" ((path, name) in memev_before ? whole(memev_before[path, name]) : (path in memev_seen ? "0" : "?"));
}

function memev_known(path, name) { return (path, name) in memev_count ? whole(memev_count[path, name]) : "?"; }

# To look at an element makes it, and what is there counts as read; gawk 5.2 also dies of copying one that was made so.
function memev_at(path, name) { return (path, name) in memev_count ? memev_count[path, name] : 0; }
