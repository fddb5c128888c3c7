# Tasks of each real UID, and the least nproc limit that one of its processes has. Exempt processes (UID 0, or
# CAP_SYS_RESOURCE or CAP_SYS_ADMIN, in the first user namespace) count as tasks, but their limit does not.
function tasks_by_uid_begin() {
  forget(uid_tasks); forget(uid_processes); forget(uid_soft); forget(uid_suspected); forget(uid_unread);
  uid_n = 0; uid_unread_n = 0; uid_limited_n = 0; uid_near_n = 0;
  is_first_namespace = is_whole_map(slurp(ROOT "/proc/self/uid_map", 0));
}

function tasks_by_uid_process() {
  if (!(uid in uid_tasks)) { uid_list[++uid_n] = uid; }
  uid_tasks[uid] += threads;
  uid_processes[uid]++;
  if (is_kernel_thread || state == "Z") { return; }
  if (uid == "0" ? is_first_namespace : is_capable()) { return; }
  if (!(limit("\nMax processes "))) { uid_unread_n += is_unreadable; return; }
  if (pid in is_suspect) { uid_suspected[uid] = 1; }
  if (soft == "unlimited") { return; }
  if (uid in uid_soft && soft + 0 > uid_soft[uid] + 0) { return; }
  if (!(uid in uid_soft) || soft + 0 < uid_soft[uid] + 0) {
    uid_soft[uid] = soft; uid_hard[uid] = hard; uid_count[uid] = 0; uid_threads[uid] = 0;
  }
  uid_count[uid]++;
  if (threads > uid_threads[uid]) { uid_threads[uid] = threads; uid_pid[uid] = pid; uid_comm[uid] = comm; }
}

# "0 0 4294967295": this is the first user namespace. A kernel without user namespaces has no such file.
function is_whole_map(text,    parts) {
  if (readable < 0) { return 1; }
  return split(text, parts, " ") == 3 && parts[1] == "0" && parts[2] == "0" && parts[3] == "4294967295";
}

# CAP_SYS_RESOURCE is bit 24 of CapEff, CAP_SYS_ADMIN bit 21; a capability counts in the first user namespace only.
function is_capable(    set) {
  set = after(status, "CapEff:\t");
  if (length(set) < 7) { return 0; }
  if (index("13579bdf", substr(set, length(set) - 6, 1)) + index("2367abef", substr(set, length(set) - 5, 1)) == 0) { return 0; }
  return is_first_namespace && is_whole_map(slurp(ROOT "/proc/" pid "/uid_map", 0));
}

function tasks_by_uid_end(    i, number, room, tier, tiers) {
  for (i = 1; i <= uid_n; i++) {
    number = uid_list[i];
    if (number in uid_soft) {
      uid_limited_n++;
      room = uid_soft[number] - uid_tasks[number];
      tiers[i] = uid_tasks[number] * 10 >= uid_soft[number] * 9 ? 2 : \
        (uid_tasks[number] * 2 >= uid_soft[number] + 0 || room <= 64 || number in uid_suspected ? 1 : 0);
      if (tiers[i]) { uid_near_n++; }
      if (tiers[i] == 2) { heat_uid(number); }
    }
  }
  emit("all\tusers=" uid_n "\tlimited=" uid_limited_n "\tnear=" uid_near_n "\tunread=" uid_unread_n);
  for (tier = 2; tier > 0; tier--) {
    for (i = 1; i <= uid_n; i++) { if (tiers[i] == tier) { uid_print(uid_list[i]); } }
  }
}

function uid_print(number) {
  pid = uid_pid[number];
  has_cgroup = 0;
  read_cgroup();
  emit("user\t" name_uid(number) "\t" sprintf("%.0f", uid_tasks[number]) "\t" uid_processes[number] "\t" uid_soft[number] "\t" \
    uid_hard[number] "\t" pid "\t" shown(uid_comm[number]) "\t" (path == "" ? "?" : name_path(path)) "\t" uid_count[number]);
}
