# The memory controller's limits: memory.max and its events, on v1 limit_in_bytes, usage_in_bytes and failcnt, those of memory
# with swap (memsw) and of the kernel's own memory (kmem) too.
function memory_cgroups_begin() {
  forget(memcg_max); forget(memcg_now); forget(memcg_hits); forget(memcg_kills);
  forget(memcg_ooms); forget(memcg_tame); forget(memcg_swap);
  memcg_finite = 0; memcg_absent = 0; memcg_outside = 0; memcg_near = 0;
  find_controllers();
  if (memory_key != "") { add_group("memory", "/"); }
}

function memory_cgroups_process() {
  if (is_kernel_thread) { return; }
  read_cgroup();
  if (memory_path != "") { add_group("memory", memory_path); }
}

function memory_cgroups_end(    i, path, tier, tiers) {
  for (i = 1; i <= tree_n["memory"]; i++) { tiers[i] = memcg_read(tree_list["memory", i]); }
  emit(tree_head(memory_key, memory_mount, memory_root) "\tcgroups=" tree_n["memory"] + 0 "\tfinite=" memcg_finite "\tabsent=" memcg_absent \
    "\toutside=" memcg_outside "\tnear=" memcg_near);
  for (tier = 2; tier > 0; tier--) {
    for (i = 1; i <= tree_n["memory"]; i++) { if (tiers[i] == tier) { memcg_print(tree_list["memory", i]); } }
  }
  forget(memcg_hits_before); forget(memcg_kills_before); forget(memcg_ooms_before);
  for (i = 1; i <= tree_n["memory"]; i++) {
    path = tree_list["memory", i];
    if (memcg_hits[path] != "") { memcg_hits_before[path] = memcg_hits[path]; }
    if (memcg_kills[path] != "") { memcg_kills_before[path] = memcg_kills[path]; }
    if (memcg_ooms[path] != "") { memcg_ooms_before[path] = memcg_ooms[path]; }
  }
}

# The tier to print it with: 2 killed in or nearly full, 1 half full or met before, 0 not at all.
function memcg_read(path,    directory, is_v2, text, max) {
  is_v2 = (memory_key == "\n0::");
  directory = cgroup_directory(memory_mount, memory_root, path);
  if (directory == "") { memcg_outside++; return 0; }
  if (!(is_v2)) { memcg_kernel(path, directory "/memory.kmem."); }
  max = line_of(directory (is_v2 ? "/memory.max" : "/memory.limit_in_bytes"));
  if (readable <= 0) { if (path != "/") { memcg_absent++; } return 0; }
  # v1 prints the largest multiple of the page size for "no limit".
  if (max == "max" || max + 0 >= 9000000000000000000) { return 0; }
  memcg_finite++;
  memcg_max[path] = max;
  memcg_now[path] = line_of(directory (is_v2 ? "/memory.current" : "/memory.usage_in_bytes"));
  if (is_v2) {
    text = "\n" slurp(directory "/memory.events", 0);
    memcg_kills[path] = after(text, "\noom_kill ");
    memcg_hits[path] = after(text, "\nmax ");
    memcg_ooms[path] = after(text, "\noom ");
    text = after("\n" slurp(directory "/memory.events.local", 0), "\nmax ");
    if (found) { memcg_hits[path] = text; }
  } else {
    memcg_hits[path] = line_of(directory "/memory.failcnt");
    memcg_with_swap(path, directory "/memory.memsw.");
    max = memcg_max[path];
    text = "\n" slurp(directory "/memory.oom_control", 0);
    memcg_kills[path] = after(text, "\noom_kill ");
    memcg_tame[path] = after(text, "\noom_kill_disable ");
  }
  text = memcg_now[path] == "" || memcg_kills[path] + 0 > 0 || memcg_ooms[path] + 0 > 0 || memcg_now[path] * 50 >= max * 49 ? 2 : \
    (memcg_now[path] * 2 >= max + 0 || memcg_hits[path] + 0 > 0 ? 1 : 0);
  if (text) { memcg_near++; }
  return text;
}

# Where memory and swap together may be no more, that is the limit which is met, and its hits are counted there.
function memcg_with_swap(path, file,    max, now) {
  max = line_of(file "limit_in_bytes") + 0;
  if (max <= 0 || max >= 9000000000000000000) { return; }
  memcg_hits[path] += slurp(file "failcnt", 1);
  now = line_of(file "usage_in_bytes");
  if (now != "" && max - now < memcg_max[path] - memcg_now[path]) {
    memcg_max[path] = whole(max); memcg_now[path] = now; memcg_swap[path] = 1;
  }
}

# The kernel's own memory of a group: full, it refuses forks and directories of it (ENOMEM), and nobody is killed.
function memcg_kernel(path, file,    max, hits) {
  max = line_of(file "limit_in_bytes");
  if (max == "" || max + 0 >= 9000000000000000000) { return; }
  hits = line_of(file "failcnt");
  emit("kernel\t" name_path(path) "\t" shown(max) "\t" or_unknown(line_of(file "usage_in_bytes")) "\t" \
    or_unknown(hits) "\t" or_unknown(kernel_hits_before[path]));
  kernel_hits_before[path] = hits;
}

function memcg_print(path,    high) {
  high = memory_key == "\n0::" ? line_of(cgroup_directory(memory_mount, memory_root, path) "/memory.high") : "";
  emit("at\t" name_path(path) "\t" shown(memcg_max[path]) "\t" or_unknown(memcg_now[path]) "\t" or_unknown(high) "\t" \
    or_unknown(memcg_hits[path]) "\t" or_unknown(memcg_hits_before[path]) "\t" or_unknown(memcg_kills[path]) "\t" \
    or_unknown(memcg_kills_before[path]) "\t" or_unknown(memcg_ooms[path]) "\t" or_unknown(memcg_ooms_before[path]) "\t" \
    or_unknown(memcg_tame[path]) "\t" (memcg_swap[path] + 0));
}
