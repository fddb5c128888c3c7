# The pids controller's limits: every cgroup that holds a process, and its ancestors. Refusals are counted in
# pids.events.local (this limit's own; cgroup v2 of newer kernels) or in pids.events of the cgroup that forked.
function pids_cgroups_begin() {
  forget(pids_is_known); forget(pids_max); forget(pids_now); forget(pids_events); forget(pids_tier);
  forget(pids_limited); forget(pids_suspected); forget(pids_above); forget(pids_tree); forget(pids_below);
  forget(pids_threads); forget(pids_zombies); forget(pids_parents); forget(pids_reaper);
  pids_tries = 0; pids_unseen = 0;
  pids_n = 0; pids_finite = 0; pids_absent = 0; pids_outside = 0; pids_is_whole = 0; pids_denied = 0;
  find_controllers();
  if (pids_key != "") { pids_add("/"); }
}

function pids_cgroups_process() {
  if (is_kernel_thread) { return; }
  read_cgroup();
  if (pids_path == "") { return; }
  if (!(pids_path in pids_is_known)) { pids_add(pids_path); }
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
  count = pids_n;
  for (i = 2; i <= count; i++) {
    path = pids_list[i];
    if (!(path in pids_threads)) { continue; }
    if (first_line(slurp(cgroup_directory(pids_mount, pids_root, path) "/cgroup.type", 1)) != "domain threaded") { continue; }
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
    if (text != "" && !(text in pids_is_known)) { pids_add(text); }
  }
  pids_unseen += missing;
}

# Enters the path behind its ancestors.
function pids_add(path,    rest, prefix, i, above) {
  rest = is_outside(path) ? "" : substr(path, 2);
  above = "/";
  while ((i = index(rest, "/")) > 0) {
    prefix = prefix "/" substr(rest, 1, i - 1);
    rest = substr(rest, i + 1);
    pids_enter(prefix, above);
    above = prefix;
  }
  pids_enter(path, above);
}

function pids_enter(path, above) {
  if (path in pids_is_known) { return; }
  pids_is_known[path] = 1;
  pids_list[++pids_n] = path;
  pids_above[path] = above;
}

function pids_cgroups_end(    i, path, tier, above) {
  pids_add_threaded();
  for (i = 1; i <= pids_n; i++) { pids_read(pids_list[i]); }
  for (i = pids_n; i > 0; i--) {
    path = pids_list[i];
    tier = pids_tier[path];
    above = pids_above[path];
    if (tier && path != above && pids_tier[above] < tier) { pids_tier[above] = tier; }
  }
  emit("all\tmode=" (pids_key == "" ? "none" : (pids_key == "\n0::" ? "v2" : "v1")) \
    "\tmeaning=" (pids_events_file == "pids.events.local" ? "local" : "forking") \
    "\tmount=" pids_mount "\troot=" pids_root "\tcgroups=" pids_n "\tfinite=" pids_finite "\tabsent=" pids_absent \
    "\toutside=" pids_outside "\twhole=" pids_is_whole "\tdenied=" pids_denied "\tnear=" pids_near() \
    (pids_unseen ? "\tunseen=" pids_unseen : ""));
  for (tier = 3; tier > 0; tier--) {
    for (i = 1; i <= pids_n; i++) {
      path = pids_list[i];
      if (pids_tier[path] == tier && (pids_max[path] != "" || pids_events[path] > 0)) { pids_print(path, tier); }
    }
  }
  pids_print_gone();
  forget(pids_before);
  for (i = 1; i <= pids_n; i++) {
    if (pids_events[pids_list[i]] != "") { pids_before[pids_list[i]] = pids_events[pids_list[i]]; }
  }
}

# Newer kernels count a refusal in the cgroups above too, where it stays when the refused one is gone. Nothing was ever
# refused below one that counts none.
function pids_print_gone(    i, path, above, gone) {
  if (pids_events_file == "" && pids_n > 1) { pids_counter_file(cgroup_directory(pids_mount, pids_root, pids_list[2])); }
  if (pids_events_file != "pids.events.local") { return; }
  for (i = 1; i <= pids_n; i++) {
    path = pids_list[i]; above = pids_above[path];
    if (path == above || !(above == "/" || pids_tree[above] > 0)) { continue; }
    pids_tree[path] = pids_count(cgroup_directory(pids_mount, pids_root, path) "/pids.events") + 0;
    pids_below[above] += pids_tree[path];
  }
  for (i = 1; i <= pids_n; i++) {
    path = pids_list[i];
    if (pids_tree[path] + 0 == 0) { continue; }
    gone = pids_tree[path] - pids_below[path] - pids_count(cgroup_directory(pids_mount, pids_root, path) "/pids.events.local");
    if (gone > 0) {
      emit("gone\t" name_path(path) "\t" sprintf("%.0f", gone) "\t" (sample_n > FIRST_SAMPLE ? sprintf("%.0f", pids_gone[path] + 0) : "?"));
      pids_gone[path] = gone;
    }
  }
}

function pids_near(    i, count) {
  for (i = 1; i <= pids_n; i++) {
    if (pids_tier[pids_list[i]] && pids_max[pids_list[i]] != "") { count++; }
  }
  return count + 0;
}

# Reads one limit; sets the tier it is printed with: 3 refused or full, 2 nearly full, 1 half full or asked for.
function pids_read(path,    directory, max, now, room) {
  directory = cgroup_directory(pids_mount, pids_root, path);
  if (directory == "") { pids_outside++; return; }
  max = first_line(slurp(directory "/pids.max", 1));
  if (readable <= 0) {
    if (path != "/") { pids_absent++; pids_denied += pids_should_be(directory); }
    else { pids_is_whole = 1; }
    pids_limited[path] = pids_limited[pids_above[path]];
    return;
  }
  pids_limited[path] = (max != "max" || pids_limited[pids_above[path]]);
  # The root of a container's view has no limit of its own, and counts what a limit above refused (older kernels).
  if (!(pids_limited[path]) && path != "/") { return; }
  if (max == "max") {
    if (pids_counter_file(directory) == "pids.events") { pids_events[path] = pids_count(directory "/pids.events"); }
    if (pids_events[path] > 0) { pids_tier[path] = 3; }
    return;
  }
  now = first_line(slurp(directory "/pids.current", 1));
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
    return index(" " first_line(slurp(directory "/cgroup.controllers", 1)) " ", " pids ") > 0;
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
    peak = first_line(slurp(cgroup_directory(pids_mount, pids_root, path) "/pids.peak", 1));
    if (tier > 1) { heat_cgroup(path); }
  }
  emit("at\t" name_path(path) "\t" shown(pids_max[path] == "" ? "max" : pids_max[path]) "\t" \
    (pids_now[path] == "" ? "?" : shown(pids_now[path])) "\t" \
    (pids_events[path] == "" ? "?" : sprintf("%.0f", pids_events[path])) "\t" \
    (path in pids_before ? sprintf("%.0f", pids_before[path]) : "?") "\t" (peak == "" ? "?" : shown(peak)) zombies);
}
