# Signals (and POSIX timers) queued for each user beside RLIMIT_SIGPENDING: "SigQ: queued/limit" of every process.
function queued_signals_begin() { forget(queued_of); forget(queued_limit); queued_n = 0; queued_seen = 0; }

function queued_signals_process(    text, parts) {
  if (is_kernel_thread || is_as_kept) { return; }
  text = after(status, "SigQ:\t");
  if (split(text, parts, "/") < 2) { return; }
  queued_seen++;
  if (parts[1] * 10 < parts[2] * 9 || parts[1] + 0 == 0) { return; }
  if (!(uid in queued_of)) { queued_list[++queued_n] = uid; }
  else if (queued_limit[uid] <= parts[2] + 0) { return; }
  read_cgroup();
  queued_of[uid] = parts[1]; queued_limit[uid] = parts[2] + 0;
  queued_pid[uid] = pid; queued_comm[uid] = comm; queued_path[uid] = path;
}

function queued_signals_end(    i, number) {
  emit("all\tseen=" queued_seen "\tnear=" queued_n);
  for (i = 1; i <= queued_n && i <= 8; i++) {
    number = queued_list[i];
    emit(head("at", queued_pid[number], queued_comm[number], number, queued_path[number]) "\t" queued_of[number] + 0 "\t" \
      sprintf("%.0f", queued_limit[number]));
  }
}
