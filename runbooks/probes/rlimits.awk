# A row of /proc/PID/limits beside a figure of /proc/PID/status, for the rows that runbooks name: a line of rlimits_list()
# for each, "ID;ROW;USE;FACTOR;PERCENT", which is written from the declarations.
function rlimits_begin(    i, lines, parts) {
  rl_n = split(rlimits_list(), lines, "\n");
  for (i = 1; i <= rl_n; i++) {
    split(lines[i], parts, ";");
    rl_id[i] = parts[1]; rl_row[i] = "\n" parts[2] " "; rl_use[i] = parts[3] ":"; rl_factor[i] = parts[4] + 0; rl_percent[i] = parts[5] + 0;
    rl_clear[i] = 0; rl_unread[i] = 0; rl_near[i] = 0;
  }
  forget(rl_found);
}

function rlimits_process(    i, used) {
  if (vm_size < 0) { return; }
  for (i = 1; i <= rl_n; i++) {
    used = status_number(rl_use[i]);
    # <brief>
    if (is_as_kept) { used = ((i, pid) in rl_kept) ? rl_kept[i, pid] : 0; }
    else { delete rl_kept[i, pid]; }
    # </brief>
    if (used < 0) { continue; }
    if (!(limit(rl_row[i]))) { rl_unread[i] += is_unreadable; continue; }
    if (soft == "unlimited" || !(pid in is_suspect) && used * rl_factor[i] * 100 < soft * rl_percent[i]) { rl_clear[i]++; continue; }
    # <brief>
    if (sample_n > FIRST_SAMPLE && rl_near[i] < 100) { rl_kept[i, pid] = used; }
    # </brief>
    if (++rl_near[i] > 12) { continue; }
    read_cgroup();
    rl_found[i, rl_near[i]] = head("at", pid, comm, uid, path) "\t" used "\t" soft "\t" hard;
  }
}

function rlimits_end(    i, j) {
  for (i = 1; i <= rl_n; i++) {
    emit(rl_id[i] "\tall\t" rl_clear[i] "\t" rl_unread[i] "\t" rl_near[i]);
    for (j = 1; j <= rl_near[i] && j < 13; j++) { emit(rl_id[i] "\t" rl_found[i, j]); }
  }
}
