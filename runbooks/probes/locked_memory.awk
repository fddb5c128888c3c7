# Processes that lock or pin memory, beside RLIMIT_MEMLOCK. CAP_IPC_LOCK (bit 14 of CapEff) locks without limit.
function locked_memory_begin() { locked_n = 0; locked_clear = 0; locked_unread = 0; }

function locked_memory_process(    lck, pin, room) {
  if (vm_size < 0) { return; }
  if (is_as_kept) { lck = locked_lck[pid] + 0; pin = locked_pin[pid] + 0; }
  else {
    lck = status_number("VmLck:"); pin = status_number("VmPin:");
    delete locked_lck[pid]; delete locked_pin[pid];
    if (sample_n > FIRST_SAMPLE && (lck > 0 || pin > 0)) { locked_lck[pid] = lck; locked_pin[pid] = pin; }
  }
  if (lck <= 0 && pin <= 0 && !(pid in is_suspect)) { return; }
  if (locks_freely()) { return; }
  if (!(limit("\nMax locked memory "))) { locked_unread += is_unreadable; return; }
  if (soft == "unlimited") { return; }
  room = soft - (lck > pin ? lck : pin) * 1024;
  if (room * 10 > soft + 0 && room >= 65536 && !(pid in is_suspect)) { locked_clear++; return; }
  read_cgroup();
  locked[++locked_n] = "at\t" pid "\t" shown(comm) "\t" uid "\t" (path == "" ? "?" : shown(path)) "\t" lck "\t" pin "\t" soft "\t" hard;
}

function locks_freely(    set) {
  set = after(status, "CapEff:\t");
  return length(set) > 3 && index("4567cdef", substr(set, length(set) - 3, 1)) > 0;
}

function locked_memory_end(    i, parts) {
  emit("all\tclear=" locked_clear "\tunread=" locked_unread "\tnear=" locked_n);
  for (i = 1; i <= locked_n && i <= 12; i++) {
    split(locked[i], parts, "\t");
    name_uid(parts[4]); name_path(parts[5]);
    emit(locked[i]);
  }
}
