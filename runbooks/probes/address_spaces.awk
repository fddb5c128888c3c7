# Map counts beside vm.max_map_count, sizes beside RLIMIT_AS and RLIMIT_DATA. A mapping covers at least a page, so only
# processes of max_map_count pages or more can be at that limit, and only their maps are read (it takes their mm lock).
function address_spaces_begin(    text) {
  map_limit = line_of(ROOT "/proc/sys/vm/max_map_count");
  text = ROOT "/proc/self/smaps";
  RS = "\n";
  while (page_kb == "" && (getline space_line < text) > 0) {
    if (index(space_line, "KernelPageSize:") == 1) { page_kb = substr(space_line, 16) + 0; }
  }
  close(text);
  RS = BLOCK;
  # The smallest page there is: without the real size, rather too many processes are looked at.
  map_kb = map_limit == "" ? -1 : map_limit * (page_kb == "" ? 4 : page_kb);
  map_lines_left = MAP_LINES;
  forget(space_free);
  space_n = 0; map_n = 0; map_clear = 0; sized_n = 0; latent_n = 0; forget(latent); sized_clear = 0; sized_unread = 0;
}

function address_spaces_process() {
  if (vm_size < 0) { return; }
  space_n++;
  if (map_kb >= 0) {
    # <brief>
    if (is_as_kept && pid in kept_maps && kept_maps[pid] * 2 < map_limit + 0) { map_clear++; } else \
    # </brief>
    if (vm_size >= map_kb || pid in is_suspect) {
      space_keep();
      keep_largest("map", pid, vm_size, 500);
      map_n++;
    } else { map_clear++; }
  }
  if (largest_n["fork"] < 5 || vm_data > largest_value["fork", 5]) {
    space_keep();
    space_data[pid] = vm_data;
    keep_largest("fork", pid, vm_data, 5);
  }
  if (has_read_limits() && limits_id in space_free) { return; }
  if (!(limit("\nMax address space "))) { sized_unread += is_unreadable; return; }
  if (space_limit("as", vm_size) + (limit("\nMax data size ") ? space_limit("data", vm_data) : 1) == 0) { space_free[limits_id] = 1; }
}

function space_keep() { note_process(); space_size[pid] = vm_size; space_threads[pid] = threads; }

# Notes a finite limit with less room than half of it or 64 MiB. Sizes in kB, limits in bytes. 0: there is no limit.
function space_limit(resource, used,    room) {
  if (soft == "unlimited") { return 0; }
  room = soft - used * 1024;
  if (room < soft / 2 || room < 67108864 || pid in is_suspect) {
    space_keep();
    sized[++sized_n] = resource "\t" used "\t" soft "\t" hard;
    sized_pid[sized_n] = pid;
    sized_tier[sized_n] = room < 67108864 ? 2 : 1;
  } else { sized_clear++; }
  if (room >= soft / 2 && room >= 67108864) { latent_keep(soft, resource "\t" used "\t" soft "\t" hard); }
  return 1;
}

# The four least limits that leave room now: a larger request fails there all the same. One of each limit and user.
function latent_keep(least, rest,    i) {
  for (i = 1; i <= latent_n; i++) { if (latent_soft[i] == least + 0 && noted_uid[latent[i]] == uid) { return; } }
  if (latent_n == 4 && latent_soft[4] <= least + 0) { return; }
  space_keep();
  i = latent_n < 4 ? ++latent_n : 4;
  for (; i > 1 && latent_soft[i - 1] > least + 0; i--) {
    latent[i] = latent[i - 1]; latent_soft[i] = latent_soft[i - 1]; latent_rest[i] = latent_rest[i - 1];
  }
  latent[i] = pid; latent_soft[i] = least + 0; latent_rest[i] = rest;
}

function address_spaces_end(    i, tier) {
  map_denied = 0; map_skipped = map_n - largest_n["map"]; map_gone = 0; map_counted_n = 0;
  for (i = 1; i <= largest_n["map"]; i++) { space_count(largest["map", i]); }
  emit("all" pair("max_map_count", map_limit, map_limit != "") pair("page_kb", page_kb, page_kb != "") \
    "\tprocesses=" space_n "\tmap_clear=" map_clear "\tmap_denied=" map_denied "\tmap_skipped=" map_skipped \
    "\tmap_gone=" map_gone "\tsized_clear=" sized_clear "\tsized_unread=" sized_unread "\tsized=" sized_n);
  for (i = 1; i <= map_counted_n; i++) { space_print("map", map_pid[i], map_maps[i] "\t" space_threads[map_pid[i]]); }
  for (tier = 2; tier > 0; tier--) {
    for (i = 1; i <= sized_n; i++) { if (sized_tier[i] == tier) { space_print("size", sized_pid[i], sized[i]); } }
  }
  for (i = 1; i <= latent_n; i++) { space_print("latent", latent[i], latent_rest[i]); }
  for (i = 1; i <= largest_n["fork"]; i++) { space_print("large", largest["fork", i], space_data[largest["fork", i]]); }
  forget(space_size); forget(space_data); forget(space_threads);
}

# Counts a process's maps. Near ones and suspects are printed, unreadable ones too (the twelve largest by name).
function space_count(number,    file, maps, got) {
  if (map_lines_left <= 0) { map_skipped++; return; }
  file = ROOT "/proc/" number "/maps";
  RS = "\n";
  while ((got = (getline space_line < file)) > 0 && maps < map_lines_left) { maps++; }
  close(file);
  RS = BLOCK;
  if (maps == 0) {
    if (got == 0 || !(is_there(number))) { map_gone++; return; }
    if (++map_denied <= 12) { map_pid[++map_counted_n] = number; map_maps[map_counted_n] = "?"; }
    return;
  }
  map_lines_left -= maps;
  if (got > 0) { map_skipped++; return; }
  if (index(space_line, "[vsyscall]")) { maps--; }
  if (maps * 2 >= map_limit + 0 || number in is_suspect) { map_pid[++map_counted_n] = number; map_maps[map_counted_n] = maps; }
  else {
    map_clear++;
    # <brief>
    if (sample_n > FIRST_SAMPLE) { kept_maps[number] = maps; }
    # </brief>
  }
}

function space_print(what, number, rest) { emit(noted_head(what, number) "\t" space_size[number] "\t" rest); }
