# The pids controller's limits: every cgroup that holds a process, and its ancestors. Refusals are counted in
# pids.events.local (this limit's own; cgroup v2 of newer kernels) or in pids.events of the cgroup that forked.
function pids_cgroups_begin() {
  forget(pids_max); forget(pids_now); forget(pids_events); forget(pids_tier);
  forget(pids_limited); forget(pids_suspected); forget(pids_tree); forget(pids_below);
  forget(pids_threads); forget(pids_zombies); forget(pids_parents); forget(pids_reaper);
  pids_tries = 0; pids_unseen = 0;
  pids_finite = 0; pids_absent = 0; pids_outside = 0; pids_is_whole = 0; pids_denied = 0;
  find_controllers();
  if (pids_key != "") { add_group("pids", "/"); }
}

function pids_cgroups_process() {
  if (is_kernel_thread) { return; }
  read_cgroup();
  if (pids_path == "") { return; }
  add_group("pids", pids_path);
  if (pid in is_suspect) { pids_suspected[pids_path] = 1; }
  if (threads > 1 && pids_key == "\n0::") { pids_threads[pids_path] = pids_threads[pids_path] " " pid ":" threads; }
  if (state == "Z") { pids_add_zombie(pids_path SUBSEP status_number("PPid:")); }
}

# Zombies count as tasks until their parent has asked for them: the one with most of them is named.
function pids_add_zombie(entry,    parts) {
  pids_zombies[pids_path]++;
  pids_parents[entry]++;
  if (!(pids_path in pids_reaper) || pids_parents[entry] > pids_parents[pids_path SUBSEP pids_reaper[pids_path]]) {
    split(entry, parts, SUBSEP);
    pids_reaper[pids_path] = parts[2];
  }
}

# Threads of one process may stand in threaded cgroups below its own. Those are not listed without a fork, but threads have
# numbers behind that of their process, as a rule close behind.
function pids_add_threaded(    i, j, path, count, list, entries) {
  count = tree_n["pids"];
  for (i = 2; i <= count; i++) {
    path = tree_list["pids", i];
    if (!(path in pids_threads)) { continue; }
    if (line_of(cgroup_directory(pids_mount, pids_root, path) "/cgroup.type") != "domain threaded") { continue; }
    entries = split(pids_threads[path], list, " ");
    for (j = 1; j <= entries; j++) { pids_add_threads(list[j] + 0, substr(list[j], index(list[j], ":") + 1) - 1); }
  }
}

function pids_add_threads(number, missing,    i, text) {
  for (i = number + 1; missing > 0 && i < number + 400 && pids_tries < 2000; i++) {
    pids_tries++;
    text = slurp(ROOT "/proc/" number "/task/" i "/cgroup", 0);
    if (readable <= 0) { continue; }
    missing--;
    text = after("\n" text, pids_key);
    if (text != "") { add_group("pids", text); }
  }
  pids_unseen += missing;
}

function pids_cgroups_end(    i, path, tier, above) {
  pids_add_threaded();
  pids_n = tree_n["pids"];
  for (i = 1; i <= pids_n; i++) { pids_read(tree_list["pids", i]); }
  for (i = pids_n; i > 0; i--) {
    path = tree_list["pids", i];
    tier = pids_tier[path];
    above = tree_above["pids", path];
    if (tier && path != above && pids_tier[above] < tier) { pids_tier[above] = tier; }
  }
  emit(tree_head(pids_key, pids_mount, pids_root) "\tmeaning=" (pids_events_file == "pids.events.local" ? "local" : "forking") \
    "\tcgroups=" pids_n + 0 "\tfinite=" pids_finite "\tabsent=" pids_absent \
    "\toutside=" pids_outside "\twhole=" pids_is_whole "\tdenied=" pids_denied "\tnear=" pids_near() \
    (pids_unseen ? "\tunseen=" pids_unseen : ""));
  for (tier = 3; tier > 0; tier--) {
    for (i = 1; i <= pids_n; i++) {
      path = tree_list["pids", i];
      if (pids_tier[path] == tier && (pids_max[path] != "" || pids_events[path] > 0)) { pids_print(path, tier); }
    }
  }
  pids_print_gone();
  forget(pids_before);
  for (i = 1; i <= pids_n; i++) {
    if (pids_events[tree_list["pids", i]] != "") { pids_before[tree_list["pids", i]] = pids_events[tree_list["pids", i]]; }
  }
}

# Newer kernels count a refusal in the cgroups above too, where it stays when the refused one is gone. Nothing was ever
# refused below one that counts none.
function pids_print_gone(    i, path, above, gone) {
  if (pids_events_file == "" && pids_n > 1) { pids_counter_file(cgroup_directory(pids_mount, pids_root, tree_list["pids", 2])); }
  if (pids_events_file != "pids.events.local") { return; }
  for (i = 1; i <= pids_n; i++) {
    path = tree_list["pids", i]; above = tree_above["pids", path];
    if (path == above || !(above == "/" || pids_tree[above] > 0)) { continue; }
    pids_tree[path] = pids_count(cgroup_directory(pids_mount, pids_root, path) "/pids.events") + 0;
    pids_below[above] += pids_tree[path];
  }
  for (i = 1; i <= pids_n; i++) {
    path = tree_list["pids", i];
    if (pids_tree[path] + 0 == 0) { continue; }
    gone = pids_tree[path] - pids_below[path] - pids_count(cgroup_directory(pids_mount, pids_root, path) "/pids.events.local");
    if (gone > 0) {
      emit("gone\t" name_path(path) "\t" whole(gone) "\t" (sample_n > FIRST_SAMPLE ? whole(pids_gone[path] + 0) : "?"));
      pids_gone[path] = gone;
    }
  }
}

function pids_near(    i, count) {
  for (i = 1; i <= pids_n; i++) {
    if (pids_tier[tree_list["pids", i]] && pids_max[tree_list["pids", i]] != "") { count++; }
  }
  return count + 0;
}

# Reads one limit; sets the tier it is printed with: 3 refused or full, 2 nearly full, 1 half full or asked for.
function pids_read(path,    directory, max, now, room) {
  directory = cgroup_directory(pids_mount, pids_root, path);
  if (directory == "") { pids_outside++; return; }
  max = line_of(directory "/pids.max");
  if (readable <= 0) {
    if (path != "/") { pids_absent++; pids_denied += pids_should_be(directory); }
    else { pids_is_whole = 1; }
    pids_limited[path] = pids_limited[tree_above["pids", path]];
    return;
  }
  pids_limited[path] = (max != "max" || pids_limited[tree_above["pids", path]]);
  # The root of a container's view has no limit of its own, and counts what a limit above refused (older kernels).
  if (!(pids_limited[path]) && path != "/") { return; }
  if (max == "max") {
    if (pids_counter_file(directory) == "pids.events") { pids_events[path] = pids_count(directory "/pids.events"); }
    if (pids_events[path] > 0) { pids_tier[path] = 3; }
    return;
  }
  now = line_of(directory "/pids.current");
  if (now == "") {
    slurp(directory "/pids.max", 1);
    if (readable <= 0) { pids_absent++; return; }
  }
  pids_finite++;
  pids_max[path] = max;
  pids_now[path] = now;
  pids_events[path] = pids_count(directory "/" pids_counter_file(directory));
  room = max - now;
  if (now == "" || room <= 0 || pids_events[path] > 0) { pids_tier[path] = 3; }
  else if (now * 10 >= max * 9) { pids_tier[path] = 2; }
  else if (now * 2 >= max + 0 || room <= 64 || path in pids_suspected) { pids_tier[path] = 1; }
}

# A cgroup whose limit cannot be read has none (the controller is off there) or has vanished; else it was denied.
function pids_should_be(directory) {
  if (pids_key == "\n0::") {
    return index(" " line_of(directory "/cgroup.controllers") " ", " pids ") > 0;
  }
  slurp(directory "/cgroup.procs", 1);
  return readable >= 0;
}

# Which counter this kernel keeps, decided on the first cgroup that has one.
function pids_counter_file(directory) {
  if (pids_events_file == "") {
    pids_events_file = "pids.events";
    if (pids_key == "\n0::" && index(unified_options, "pids_localevents") == 0) {
      slurp(directory "/pids.events.local", 1);
      if (readable >= 0) { pids_events_file = "pids.events.local"; }
    }
  }
  return pids_events_file;
}

function pids_count(file,    text) {
  text = after("\n" slurp(file, 0), "\nmax ");
  return found ? text + 0 : "";
}

function pids_print(path, tier,    peak, zombies) {
  peak = "";
  if (pids_zombies[path] * 2 >= pids_now[path] + 0 && pids_zombies[path] > 0) {
    read_status(pids_reaper[path]);
    zombies = "\t" pids_zombies[path] "\t" pids_reaper[path] "\t" shown(comm);
  }
  if (pids_max[path] != "") {
    peak = line_of(cgroup_directory(pids_mount, pids_root, path) "/pids.peak");
    if (tier > 1) { heat_cgroup(path); }
  }
  emit("at\t" name_path(path) "\t" shown(pids_max[path] == "" ? "max" : pids_max[path]) "\t" \
    (pids_now[path] == "" ? "?" : shown(pids_now[path])) "\t" \
    (pids_events[path] == "" ? "?" : whole(pids_events[path])) "\t" \
    (path in pids_before ? whole(pids_before[path]) : "?") "\t" (peak == "" ? "?" : shown(peak)) zombies);
}
