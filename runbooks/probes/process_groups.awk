# Processes added up by cgroup, user and command name: the ten largest by tasks and by memory, and the five largest in
# every cgroup and of every user that another kind found near a limit.
function process_groups_begin() {
  forget(group_of); forget(group_tasks); forget(group_processes); forget(group_rss); forget(group_top);
  forget(group_printed);
  forget(group_path); forget(group_uid); forget(group_comm); forget(group_pid);
  group_n = 0;
}

function process_groups_process(    key, group) {
  if (is_kernel_thread) { return; }
  read_cgroup();
  key = path SUBSEP uid SUBSEP comm;
  if (key in group_of) { group = group_of[key]; }
  else {
    group = ++group_n;
    group_of[key] = group;
    group_path[group] = path; group_uid[group] = uid; group_comm[group] = comm;
  }
  group_tasks[group] += threads;
  group_processes[group]++;
  if (vm_rss > 0) { group_rss[group] += vm_rss; }
  if (threads > group_top[group]) { group_top[group] = threads; group_pid[group] = pid; }
}

function process_groups_after(    i, above) {
  for (i = 1; i <= group_n; i++) {
    keep_largest("tasks", i, group_tasks[i], 10);
    keep_largest("rss", i, group_rss[i] + 0, 10);
    if (group_uid[i] in hot_uid) { keep_largest("uid " group_uid[i], i, group_tasks[i], 5); }
    if (hot_cgroups_n) {
      above = group_path[i];
      while (above != "") {
        if (above in hot_cgroup) { keep_largest("in " above, i, group_tasks[i], 5); }
        while (above != "" && substr(above, length(above)) != "/") { above = substr(above, 1, length(above) - 1); }
        above = substr(above, 1, length(above) - 1);
      }
    }
  }
  emit("all\tgroups=" (group_n + 0));
  group_print("tasks");
  for (i = 1; i <= hot_cgroups_n; i++) { group_print("in " hot_cgroups[i]); }
  for (i = 1; i <= hot_uids_n; i++) { group_print("uid " hot_uids[i]); }
  group_print("rss");
}

function group_print(list,    i, group) {
  for (i = 1; i <= largest_n[list]; i++) {
    group = largest[list, i];
    if (!(group in group_printed)) {
      group_printed[group] = 1;
      emit("group\t" group_pid[group] "\t" shown(group_comm[group]) "\t" name_path(group_path[group]) "\t" name_uid(group_uid[group]) "\t" \
        whole(group_tasks[group]) "\t" group_processes[group] "\t" whole(group_rss[group]));
    }
  }
}
