# Processes that lock or pin memory, beside RLIMIT_MEMLOCK. CAP_IPC_LOCK (bit 14 of CapEff) locks without limit.
function locked_memory_begin() { locked_n = 0; locked_clear = 0; locked_unread = 0; locks_n = 0; forget(locks_seen); }

function locked_memory_process(    lck, pin, room) {
  if (vm_size < 0) { return; }
  lck = status_number("VmLck:"); pin = status_number("VmPin:");
  # <brief>
  if (is_as_kept) { lck = locked_lck[pid] + 0; pin = locked_pin[pid] + 0; }
  else {
    delete locked_lck[pid]; delete locked_pin[pid];
    if (sample_n > FIRST_SAMPLE && (lck > 0 || pin > 0)) { locked_lck[pid] = lck; locked_pin[pid] = pin; }
  }
  # </brief>
  if (lck <= 0 && pin <= 0 && !(pid in is_suspect)) { locks_keep(); return; }
  if (locks_freely()) { return; }
  if (!(limit("\nMax locked memory "))) { locked_unread += is_unreadable; return; }
  if (soft == "unlimited") { return; }
  room = soft - (lck > pin ? lck : pin) * 1024;
  if (room * 10 > soft + 0 && room >= 65536 && !(pid in is_suspect)) { locked_clear++; return; }
  if (++locked_n > 12) { return; }
  read_cgroup();
  locked_text[locked_n] = head("at", pid, comm, uid, path) "\t" lck "\t" pin "\t" soft "\t" hard;
}

# One process for each limit: what has locked nothing may ask for more than that at once.
function locks_keep() {
  if (uid == "0" || has_read_limits() && limits_id in locks_seen) { return; }
  if (!(limit("\nMax locked memory "))) { return; }
  locks_seen[limits_id] = 1;
  if (soft == "unlimited" || soft in locks_seen || locks_n > 7 || locks_freely()) { return; }
  locks_seen[soft] = 1;
  read_cgroup();
  locks_text[++locks_n] = head("latent", pid, comm, uid, path) "\t0\t0\t" soft "\t" hard;
}

function locks_freely(    set) {
  set = after(status, "CapEff:\t");
  return length(set) > 3 && index("4567cdef", substr(set, length(set) - 3, 1)) > 0;
}

function locked_memory_end(    i) {
  emit("all\tclear=" locked_clear "\tunread=" locked_unread "\tnear=" locked_n);
  for (i = 1; i <= locked_n && i <= 12; i++) { emit(locked_text[i]); }
  for (i = 1; i <= locks_n; i++) { emit(locks_text[i]); }
}
