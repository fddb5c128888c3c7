# Tasks of each real UID, beside each nproc limit that processes of it have. Exempt processes (UID 0, or
# CAP_SYS_RESOURCE or CAP_SYS_ADMIN, in the first user namespace) count as tasks, but their limit does not.
# From Linux 5.14 on a UID is counted in each user namespace for itself, and all of a namespace for whoever made it too.
function tasks_by_uid_begin() {
  forget(uid_tasks); forget(uid_processes); forget(uid_suspected); forget(uid_space); forget(uid_guests); forget(uid_least);
  forget(bound_count); forget(bound_threads);
  uid_n = 0; uid_unread_n = 0; uid_near_n = 0; bound_n = 0; uid_guests_n = 0;
  is_first_namespace = is_whole_map(slurp(ROOT "/proc/self/uid_map", 0));
}

function tasks_by_uid_process(    key) {
  key = uid;
  if (uid + 0 >= 65536 && is_first_namespace && counts_by_namespace()) { key = uid uid_where(); }
  if (!(key in uid_tasks)) { uid_list[++uid_n] = key; uid_number[key] = uid; }
  uid_tasks[key] += threads;
  uid_processes[key]++;
  if (is_kernel_thread || state == "Z") { return; }
  if (uid == "0" ? is_first_namespace : is_capable()) { return; }
  if (!(limit("\nMax processes "))) { uid_unread_n += is_unreadable; return; }
  if (pid in is_suspect) { uid_suspected[key] = 1; }
  if (soft == "unlimited") { return; }
  if (!(key in uid_least) || soft + 0 < uid_least[key] + 0) { uid_least[key] = soft; }
  uid_bind(key SUBSEP soft, key);
}

# One entry for each limit of a user: its processes may have different ones.
function uid_bind(entry, key) {
  if (!(entry in bound_count)) { bound[++bound_n] = entry; bound_key[entry] = key; bound_soft[entry] = soft; bound_hard[entry] = hard; }
  bound_count[entry]++;
  if (threads > bound_threads[entry]) { bound_threads[entry] = threads; bound_pid[entry] = pid; note_process(); }
}

function counts_by_namespace(    parts) {
  if (by_namespace == "") {
    split(slurp(ROOT "/proc/sys/kernel/osrelease", 1), parts, ".");
    by_namespace = (parts[1] > 5 || parts[1] == 5 && parts[2] + 0 >= 14);
  }
  return by_namespace;
}

# "@CGROUP" of a process in a user namespace of its own, "" in the first; what it uses counts for its creator too.
function uid_where(    key, text, parts) {
  read_cgroup();
  key = uid SUBSEP path;
  if (!(key in uid_space)) {
    text = slurp(ROOT "/proc/" pid "/uid_map", 0);
    uid_space[key] = readable > 0 && !(is_whole_map(text)) ? "@" uid_outer(path) : "";
    uid_maker[key] = split(first_line(text), parts, " ") == 3 && parts[1] == "0" && parts[3] == "1" ? parts[2] : "";
  }
  if (uid_space[key] != "" && uid_maker[key] != "") { uid_guests[uid_maker[key]] += threads; }
  return uid_space[key];
}

# A container has its own cgroup two levels below the root, LXC one; those of a rootless user share one user namespace.
function uid_outer(text,    i) {
  i = index(substr(text, 2), "/");
  if (i == 0 || index(text, "/lxc.") == 1) { return i ? substr(text, 1, i) : text; }
  text = text "/";
  return substr(text, 1, i + index(substr(text, i + 2), "/"));
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

function tasks_by_uid_end(    i, entry, key, tasks, tier, tiers, near) {
  for (i = 1; i <= bound_n; i++) {
    entry = bound[i]; key = bound_key[entry];
    tasks = uid_tasks[key] + uid_guests[key];
    tier = tasks * 10 >= bound_soft[entry] * 9 ? 2 : 0;
    if (tier == 0 && bound_soft[entry] == uid_least[key]) {
      tier = (tasks * 2 >= bound_soft[entry] + 0 || bound_soft[entry] - tasks <= 64 || key in uid_suspected ? 1 : 0);
    }
    tiers[i] = tier;
    if (tier && !(key in near)) { near[key] = 1; uid_near_n++; }
    if (tier == 2) { heat_uid(uid_number[key]); }
    if (tier < 2) { keep_least(entry); }
  }
  emit("all\tusers=" uid_n "\tnear=" uid_near_n "\tunread=" uid_unread_n);
  for (tier = 2; tier > 0; tier--) {
    for (i = 1; i <= bound_n; i++) { if (tiers[i] == tier) { uid_print("user", bound[i]); } }
  }
  for (i = 1; i <= largest_n["least"]; i++) { uid_print("latent", largest["least", i]); }
  uid_print_counts();
}

# The four least limits that leave room now.
function keep_least(entry) { keep_largest("least", entry, -bound_soft[entry], 4); }

function uid_print_counts(    i, key) {
  for (i = 1; i <= uid_n; i++) {
    key = uid_list[i];
    if (key != "0" && key == uid_number[key]) { keep_largest("uids", key, uid_tasks[key], 6); }
  }
  for (i = 1; i <= largest_n["uids"]; i++) {
    key = largest["uids", i];
    emit("has\t" name_uid(key) "\t" whole(uid_tasks[key]) "\t" uid_processes[key]);
  }
}

function uid_print(what, entry,    key) {
  key = bound_key[entry];
  emit(noted_head(what, bound_pid[entry]) "\t" whole(uid_tasks[key] + uid_guests[key]) "\t" \
    uid_processes[key] "\t" bound_soft[entry] "\t" bound_hard[entry] "\t" bound_count[entry] "\t" (uid_guests[key] + 0) "\t" \
    shown(substr(key, length(uid_number[key]) + 2)) "\t" (bound_soft[entry] == uid_least[key]));
}
