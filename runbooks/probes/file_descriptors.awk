# Open files beside RLIMIT_NOFILE. A process's table (FDSize) never shrinks and every open number is below its size: one
# that is smaller than the limit clears its process, for everybody. Of the others each number is looked up by name in
# fdinfo, which root and the owner may: all of them where that is cheap, else a sample spread evenly.
function file_descriptors_begin() {
  files_n = 0; files_clear = 0; files_unread = 0; files_slots = 0; files_left = 2200;
  forget(files_cap);
  files_nr_open = line_of(ROOT "/proc/sys/fs/nr_open");
}

function file_descriptors_process(    slots) {
  if (vm_size < 0) { return; }
  slots = status_number("FDSize:");
  if (slots > files_slots) { files_slots = slots; files_slots_pid = pid; files_slots_comm = comm; }
  if (!(has_read_limits()) || slots < 0) { files_unread += (slots < 0 || is_unreadable); return; }
  if (!(limits_id in files_cap)) {
    files_cap[limits_id] = limit("\nMax open files ") ? soft + 0 : 0;
    # No number is given out from nr_open up, whatever the limit says.
    if (files_nr_open != "" && (soft == "unlimited" || soft + 0 > files_nr_open + 0)) { files_cap[limits_id] = files_nr_open + 0; }
  }
  if (slots < files_cap[limits_id]) { files_clear++; return; }
  limit("\nMax open files ");
  note_process();
  files_pid[++files_n] = pid;
  files_soft[pid] = files_cap[limits_id]; files_rest[pid] = slots "\t" whole(files_soft[pid]) "\t" hard;
}

function file_descriptors_end(    i, tier, number, parts, count) {
  count = split(line_of(ROOT "/proc/sys/fs/file-nr"), parts, " ");
  emit("are" pair("used", parts[1], count == 3) pair("max", parts[3], count == 3) pair("nr_open", files_nr_open, files_nr_open != "") \
    file_pair("cpus", ROOT "/sys/devices/system/cpu/possible") \
    sys_pairs("fs/", "pipe-user-pages-hard inotify/max_user_instances inotify/max_user_watches epoll/max_user_watches"));
  emit("all\tclear=" files_clear "\tunread=" files_unread "\tnear=" files_n \
    (files_slots ? "\tslots=" files_slots pair("pid", files_slots_pid, 1) pair("comm", files_slots_comm, 1) : ""));
  for (i = 1; i <= files_n; i++) { files_count(files_pid[i], files_soft[files_pid[i]]); }
  for (tier = 2; tier > 0; tier--) {
    for (i = 1; i <= files_n; i++) {
      number = files_pid[i];
      if (files_tier[number] == tier) {
        emit(noted_head("at", number) "\t" files_rest[number] "\t" files_how[number]);
      }
    }
  }
  forget(files_soft); forget(files_rest);
  forget(files_how); forget(files_tier);
}

# How many of the numbers below its limit are open. None at all means that they may not be looked up.
function files_count(number, most,    tried, open) {
  files_tier[number] = 2;
  files_how[number] = "unread\t?";
  if (files_left < 64) { files_how[number] = "skipped\t?"; return; }
  tried = most < 64 ? most : 64;
  open = files_look(number, most, tried);
  if (open == 0 && most > 0) { if (!(is_there(number))) { files_tier[number] = 0; } return; }
  if (open == tried && tried < most) {
    tried = most <= files_left ? most : 256;
    open = tried <= files_left ? files_look(number, most, tried) : tried;
  }
  files_how[number] = (tried == most ? "counted" : "sampled") "\t" whole(int(open * most / (tried ? tried : 1)));
  if (open * 10 < tried * 8) { files_tier[number] = 1; }
}

# Looks `tried` numbers up, from 0 to the highest below `most`.
function files_look(number, most, tried,    i, open) {
  files_left -= tried;
  for (i = 0; i < tried; i++) {
    slurp(ROOT "/proc/" number "/fdinfo/" (tried > 1 ? int(i * (most - 1) / (tried - 1)) : 0), 1);
    if (readable >= 0) { open++; }
  }
  return open + 0;
}
