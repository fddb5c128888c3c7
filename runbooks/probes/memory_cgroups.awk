# The memory controller's limits: memory.max and its events, on v1 limit_in_bytes, usage_in_bytes and failcnt.
function memory_cgroups_begin() {
  forget(memcg_is_known); forget(memcg_max); forget(memcg_now); forget(memcg_hits); forget(memcg_kills);
  forget(memcg_ooms); forget(memcg_tame);
  memcg_n = 0; memcg_finite = 0; memcg_absent = 0; memcg_outside = 0; memcg_near = 0;
  find_controllers();
  if (memory_key != "") { memcg_enter("/"); }
}

function memory_cgroups_process(    rest, prefix, i) {
  if (is_kernel_thread) { return; }
  read_cgroup();
  if (memory_path == "" || memory_path in memcg_is_known) { return; }
  rest = is_outside(memory_path) ? "" : substr(memory_path, 2);
  while ((i = index(rest, "/")) > 0) {
    prefix = prefix "/" substr(rest, 1, i - 1);
    rest = substr(rest, i + 1);
    memcg_enter(prefix);
  }
  memcg_enter(memory_path);
}

function memcg_enter(path) {
  if (path in memcg_is_known) { return; }
  memcg_is_known[path] = 1;
  memcg_list[++memcg_n] = path;
}

function memory_cgroups_end(    i, path, tier, tiers) {
  for (i = 1; i <= memcg_n; i++) { tiers[i] = memcg_read(memcg_list[i]); }
  emit("all\tmode=" (memory_key == "" ? "none" : (memory_key == "\n0::" ? "v2" : "v1")) "\tmount=" memory_mount \
    "\troot=" memory_root "\tcgroups=" memcg_n "\tfinite=" memcg_finite "\tabsent=" memcg_absent \
    "\toutside=" memcg_outside "\tnear=" memcg_near);
  for (tier = 2; tier > 0; tier--) {
    for (i = 1; i <= memcg_n; i++) { if (tiers[i] == tier) { memcg_print(memcg_list[i]); } }
  }
  forget(memcg_hits_before); forget(memcg_kills_before); forget(memcg_ooms_before);
  for (i = 1; i <= memcg_n; i++) {
    path = memcg_list[i];
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
  max = first_line(slurp(directory (is_v2 ? "/memory.max" : "/memory.limit_in_bytes"), 1));
  if (readable <= 0) { if (path != "/") { memcg_absent++; } return 0; }
  # v1 prints the largest multiple of the page size for "no limit".
  if (max == "max" || max + 0 >= 9000000000000000000) { return 0; }
  memcg_finite++;
  memcg_max[path] = max;
  memcg_now[path] = first_line(slurp(directory (is_v2 ? "/memory.current" : "/memory.usage_in_bytes"), 1));
  if (is_v2) {
    text = "\n" slurp(directory "/memory.events", 0);
    memcg_kills[path] = after(text, "\noom_kill ");
    memcg_hits[path] = after(text, "\nmax ");
    memcg_ooms[path] = after(text, "\noom ");
    text = after("\n" slurp(directory "/memory.events.local", 0), "\nmax ");
    if (found) { memcg_hits[path] = text; }
  } else {
    memcg_hits[path] = first_line(slurp(directory "/memory.failcnt", 1));
    text = "\n" slurp(directory "/memory.oom_control", 0);
    memcg_kills[path] = after(text, "\noom_kill ");
    memcg_tame[path] = after(text, "\noom_kill_disable ");
  }
  text = memcg_now[path] == "" || memcg_kills[path] + 0 > 0 || memcg_ooms[path] + 0 > 0 || memcg_now[path] * 50 >= max * 49 ? 2 : \
    (memcg_now[path] * 2 >= max + 0 || memcg_hits[path] + 0 > 0 ? 1 : 0);
  if (text) { memcg_near++; }
  return text;
}

function memcg_print(path,    high) {
  high = memory_key == "\n0::" ? first_line(slurp(cgroup_directory(memory_mount, memory_root, path) "/memory.high", 1)) : "";
  emit("at\t" name_path(path) "\t" shown(memcg_max[path]) "\t" memcg_known(memcg_now[path]) "\t" memcg_known(high) "\t" \
    memcg_known(memcg_hits[path]) "\t" memcg_known(memcg_hits_before[path]) "\t" memcg_known(memcg_kills[path]) "\t" \
    memcg_known(memcg_kills_before[path]) "\t" memcg_known(memcg_ooms[path]) "\t" memcg_known(memcg_ooms_before[path]) "\t" \
    memcg_known(memcg_tame[path]));
}

function memcg_known(value) { return value == "" ? "?" : shown(value); }
