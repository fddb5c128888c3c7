# Where control groups are mounted, and where the present process stands. See prelude.awk for how to write it.

# Where the present process stands: `pids_path`, `memory_path` ("" where that controller is not), and `path`.
function read_cgroup() {
  if (has_cgroup) { return; }
  has_cgroup = 1;
  # <brief>
  if (pid in kept_path) {
    path = kept_path[pid]; pids_path = kept_pids_path[pid]; memory_path = kept_memory_path[pid];
    cgroup_text = "";
    return;
  }
  # </brief>
  find_controllers();
  if (pid in pids_listed && (memory_key == pids_key || pid in memory_listed)) {
    path = pids_path = pids_listed[pid];
    memory_path = memory_key == pids_key ? pids_path : memory_listed[pid];
    cgroup_text = "";
  } else { ask_cgroup(); }
  # <brief>
  if (sample_n > FIRST_SAMPLE) { kept_path[pid] = path; kept_pids_path[pid] = pids_path; kept_memory_path[pid] = memory_path; }
  # </brief>
}

function ask_cgroup(    text) {
  text = "\n" slurp(ROOT "/proc/" pid "/cgroup", 0);
  if (text != cgroup_text) {
    cgroup_text = text;
    pids_path = pids_key == "" ? "" : after(text, pids_key);
    memory_path = memory_key == pids_key ? pids_path : (memory_key == "" ? "" : after(text, memory_key));
    path = pids_path != "" ? pids_path : (memory_path != "" ? memory_path : after(text, "\n0::"));
  }
  # Of many processes in one cgroup, with few threads each, its list is read sooner than what each says of itself.
  if (pids_path != "" && memory_path != "" && ++alike_n[text] == 8 && tasks_total != "" && tasks_total + 0 < known_n * 8) {
    list_cgroup(pids_listed, pids_key, cgroup_directory(pids_mount, pids_root, pids_path), pids_path);
    if (memory_key != pids_key) {
      list_cgroup(memory_listed, memory_key, cgroup_directory(memory_mount, memory_root, memory_path), memory_path);
    }
  }
}

# By thread: a process stands where its first one does, which has the same number.
function list_cgroup(listed, key, directory, path,    file, line) {
  if (directory == "") { return; }
  file = directory (key == "\n0::" ? "/cgroup.threads" : "/tasks");
  RS = "\n";
  while ((getline line < file) > 0) { listed[line] = path; }
  close(file);
  RS = BLOCK;
}

# Decides per controller: a v1 hierarchy that names it, else the v2 hierarchy if that has it at its root.
function find_controllers(    text) {
  if (has_controllers) { return; }
  has_controllers = 1;
  self_cgroup = "\n" slurp(ROOT "/proc/self/cgroup", 0) "\n";
  pids_key = controller_key("pids");
  memory_key = controller_key("memory");
  has_unified = index(self_cgroup, "\n0::") > 0;
  find_mounts();
  if (has_unified && unified_mount != "") {
    text = " " line_of(ROOT unified_mount "/cgroup.controllers") " ";
    if (pids_key == "" && index(text, " pids ")) { pids_key = "\n0::"; }
    if (memory_key == "" && index(text, " memory ")) { memory_key = "\n0::"; }
  }
  if (pids_key == "\n0::") { pids_mount = unified_mount; pids_root = unified_root; }
  if (memory_key == "\n0::") { memory_mount = unified_mount; memory_root = unified_root; }
}

# "\n8:pids:" of "8:pids:/path": the same prefix in every process's file.
function controller_key(name,    i, count, lines, parts) {
  count = split(self_cgroup, lines, "\n");
  for (i = 1; i <= count; i++) {
    if (split(lines[i], parts, ":") >= 3 && index("," parts[2] ",", "," name ",")) {
      return "\n" parts[1] ":" parts[2] ":";
    }
  }
  return "";
}

# The first mount of each hierarchy: mount point and the part of the hierarchy it shows. mountinfo is long on hosts
# of containers, so reading ends when nothing is missing.
function find_mounts(    line, file, parts, tail, missing) {
  file = ROOT "/proc/self/mountinfo";
  missing = (pids_key != "") + (memory_key != "") + has_unified;
  RS = "\n";
  while (missing > 0 && (getline line < file) > 0) {
    tail = index(line, " - cgroup");
    if (tail) {
      split(line, parts, " ");
      tail = substr(line, tail + 3);
      if (index(tail, "cgroup2 ") == 1) {
        if (unified_mount == "") {
          unified_mount = parts[5]; unified_root = parts[4]; unified_options = tail; missing--;
        }
      } else {
        tail = "," substr(tail, index(tail, " rw") + 1) ",";
        if (pids_key != "" && pids_mount == "" && index(tail, ",pids,")) {
          pids_mount = parts[5]; pids_root = parts[4]; missing--;
        }
        if (memory_key != "" && memory_mount == "" && index(tail, ",memory,")) {
          memory_mount = parts[5]; memory_root = parts[4]; missing--;
        }
      }
    }
  }
  close(file);
  RS = BLOCK;
}

# A process of another cgroup namespace has a path that climbs out of this one.
function is_outside(path) { return path == "/.." || index(path, "/../") == 1; }

# The directory of a cgroup, "" when it lies outside of what is mounted here.
function cgroup_directory(mount, root, path) {
  if (mount == "" || is_outside(path)) { return ""; }
  if (root != "/") {
    if (path == root) { return ROOT mount; }
    if (index(path, root "/") != 1) { return ""; }
    return ROOT mount substr(path, length(root) + 1);
  }
  return ROOT mount (path == "/" ? "" : path);
}

# Notes a group of a hierarchy ("pids", "memory") for this sample, behind those above it.
function add_group(tree, path,    rest, prefix, above, i) {
  if ((tree, path) in tree_above) { return; }
  rest = is_outside(path) ? "" : substr(path, 2);
  above = "/";
  while ((i = index(rest, "/")) > 0) {
    prefix = prefix "/" substr(rest, 1, i - 1);
    rest = substr(rest, i + 1);
    enter_group(tree, prefix, above);
    above = prefix;
  }
  enter_group(tree, path, above);
}

function enter_group(tree, path, above) {
  if ((tree, path) in tree_above) { return; }
  tree_above[tree, path] = above;
  tree_list[tree, ++tree_n[tree]] = path;
}

# How a record about all groups of a hierarchy begins.
function tree_head(key, mount, root) {
  return "all\tmode=" (key == "" ? "none" : (key == "\n0::" ? "v2" : "v1")) "\tmount=" mount "\troot=" root;
}
