# Processes added up by cgroup, user and command name: the ten largest by tasks and by memory, and the five largest in
# every cgroup and of every user that another kind found near a limit.
function process_groups_begin() {
  forget(group_tasks); forget(group_processes); forget(group_rss); forget(group_top);
  forget(group_printed);
  forget(group_path); forget(group_uid); forget(group_comm); forget(group_pid);
  group_n = 0;
}

function process_groups_process(    key, rss) {
  if (is_kernel_thread) { return; }
  read_cgroup();
  key = path SUBSEP uid SUBSEP comm;
  if (!(key in group_tasks)) {
    group_list[++group_n] = key;
    group_path[key] = path; group_uid[key] = uid; group_comm[key] = comm;
  }
  group_tasks[key] += threads;
  group_processes[key]++;
  rss = status_number("VmRSS:");
  if (rss > 0) { group_rss[key] += rss; }
  if (threads > group_top[key]) { group_top[key] = threads; group_pid[key] = pid; }
}

function process_groups_after(    i, key, above) {
  for (i = 1; i <= group_n; i++) {
    key = group_list[i];
    keep_largest("tasks", key, group_tasks[key], 10);
    keep_largest("rss", key, group_rss[key] + 0, 10);
    if (group_uid[key] in hot_uid) { keep_largest("uid " group_uid[key], key, group_tasks[key], 5); }
    if (hot_cgroups_n) {
      above = group_path[key];
      while (above != "") {
        if (above in hot_cgroup) { keep_largest("in " above, key, group_tasks[key], 5); }
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

function group_print(list,    i, key) {
  for (i = 1; i <= largest_n[list]; i++) {
    key = largest[list, i];
    if (!(key in group_printed)) {
      group_printed[key] = 1;
      emit("group\t" group_pid[key] "\t" shown(group_comm[key]) "\t" name_path(group_path[key]) "\t" name_uid(group_uid[key]) "\t" \
        sprintf("%.0f", group_tasks[key]) "\t" group_processes[key] "\t" sprintf("%.0f", group_rss[key]));
    }
  }
}
