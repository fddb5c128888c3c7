# Signals (and POSIX timers) queued for each user beside RLIMIT_SIGPENDING: "SigQ: queued/limit" of every process.
function queued_signals_begin() { forget(queued_of); forget(queued_limit); queued_n = 0; queued_seen = 0; }

function queued_signals_process(    text, parts) {
  if (is_kernel_thread) { return; }
  # <brief>
  if (is_as_kept) { return; }
  # </brief>
  text = after(status, "SigQ:\t");
  if (split(text, parts, "/") < 2) { return; }
  queued_seen++;
  if (parts[1] * 10 < parts[2] * 9 || parts[1] + 0 == 0) { return; }
  if (!(uid in queued_of)) { queued_list[++queued_n] = uid; }
  else if (queued_limit[uid] <= parts[2] + 0) { return; }
  read_cgroup();
  queued_limit[uid] = parts[2] + 0;
  queued_of[uid] = head("at", pid, comm, uid, path) "\t" parts[1] + 0 "\t" whole(parts[2] + 0);
}

function queued_signals_end(    i) {
  emit("all\tseen=" queued_seen "\tnear=" queued_n);
  for (i = 1; i <= queued_n && i <= 8; i++) { emit(queued_of[queued_list[i]]); }
}
