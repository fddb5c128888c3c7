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
  queued_rest[uid] = pid "\t" shown(comm) "\t" (path == "" ? "?" : shown(path));
}

function queued_signals_end(    i, parts) {
  emit("all\tseen=" queued_seen "\tnear=" queued_n);
  for (i = 1; i <= queued_n && i <= 8; i++) {
    split(queued_rest[queued_list[i]], parts, "\t");
    name_path(parts[3]);
    emit("user\t" name_uid(queued_list[i]) "\t" queued_of[queued_list[i]] + 0 "\t" sprintf("%.0f", queued_limit[queued_list[i]]) "\t" queued_rest[queued_list[i]]);
  }
}
