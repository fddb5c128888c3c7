# Processes of nested PID namespaces whose init is not to be found or is a zombie. Which namespace a process is in
# cannot be read without readlink; its chain of parents, else an init in the same branch of cgroups, stands for it.
function pid_namespaces_begin() { nested_n = 0; inits_n = 0; nested_unsure = 0; forget(nested_depth); forget(nested_last); forget(nested_parent); }

function pid_namespaces_process(    line, parts) {
  line = after(status, "NSpid:\t");
  if (index(line, "\t") == 0) { return; }
  read_cgroup();
  nested[++nested_n] = pid;
  nested_depth[pid] = split(line, parts, "\t");
  nested_last[pid] = parts[nested_depth[pid]];
  nested_parent[pid] = status_number("PPid:");
  nested_path[pid] = path; nested_comm[pid] = comm; nested_state[pid] = state;
  if (nested_last[pid] == "1") { inits[++inits_n] = pid; }
}

function pid_namespaces_end(    i, number, init, lost, lost_n, seen, low, count, zombie, place) {
  for (i = 1; i <= nested_n; i++) {
    number = nested[i];
    init = nested_init(number);
    if (init == "" || nested_state[init] == "Z") {
      place = nested_path[number];
      if (!(place in seen)) { seen[place] = 1; lost[++lost_n] = place; low[place] = number; }
      if (number + 0 < low[place] + 0) { low[place] = number; }
      count[place]++;
      if (init != "") { zombie[place] = 1; }
    }
  }
  emit("all\tnested=" nested_n "\tinits=" inits_n "\tgroups=" (lost_n + 0) "\tunsure=" nested_unsure);
  for (i = 1; i <= lost_n; i++) {
    place = lost[i];
    emit("gone\t" name_path(place) "\t" low[place] "\t" shown(nested_comm[low[place]]) "\t" count[place] "\t" (zombie[place] + 0));
  }
}

function nested_init(number,    step, i, place, there) {
  step = number;
  for (i = 0; i < 64 && step in nested_depth && nested_depth[step] >= nested_depth[number]; i++) {
    if (nested_depth[step] == nested_depth[number] && nested_last[step] == "1") { return step; }
    step = nested_parent[step];
  }
  place = nested_path[number] "/";
  for (i = 1; i <= inits_n; i++) {
    there = nested_path[inits[i]] "/";
    if (nested_depth[inits[i]] == nested_depth[number] && (index(there, place) == 1 || index(place, there) == 1)) { return inits[i]; }
  }
  # In another cgroup (nsenter, pods that share a namespace): that cannot be told from one that is gone.
  for (i = 1; i <= inits_n; i++) {
    if (nested_depth[inits[i]] == nested_depth[number] && !(nested_state[inits[i]] == "Z")) { nested_unsure++; return inits[i]; }
  }
  return "";
}
