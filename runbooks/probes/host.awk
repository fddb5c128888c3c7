# Names, boot, clock, container and cgroup mode. Of these a brief sample says what one of the last twelve has read.
function host_end() {
  # <brief>
  if (!(is_brief) || is_turn(0, 12)) { host_pairs = ""; }
  # </brief>
  if (host_pairs == "") { host_pairs = host_read(); }
  emit("is" host_pairs file_pair("uptime", ROOT "/proc/uptime"));
}

function host_read(    text, container, mode) {
  text = slurp(ROOT "/proc/stat", 0);
  mode = after(text, "\nbtime ");
  mode = pair("btime", mode, found);
  container = line_of(ROOT "/run/systemd/container");
  if (container == "") {
    slurp(ROOT "/.dockerenv", 1);
    if (readable >= 0) { container = "docker"; }
    slurp(ROOT "/run/.containerenv", 1);
    if (readable >= 0) { container = "podman"; }
  }
  find_controllers();
  text = has_unified ? ((pids_key != "" && pids_key != "\n0::") || (memory_key != "" && memory_key != "\n0::") \
    ? "hybrid" : "v2") : "v1";
  mode = mode pair("cgroup", text, length(self_cgroup) > 3);
  text = slurp(ROOT "/proc/1/status", 0);
  self_uid = after("\n" slurp(ROOT "/proc/self/status", 0), "\nUid:\t");
  return file_pair("hostname", ROOT "/proc/sys/kernel/hostname") \
    file_pair("kernel", ROOT "/proc/sys/kernel/osrelease") \
    file_pair("boot_id", ROOT "/proc/sys/kernel/random/boot_id") \
    file_pair("machine_id", ROOT "/etc/machine-id") \
    mode pair("container", container, 1) pair("uid", self_uid + 0, self_uid != "") \
    pair("init", first_line(substr(text, 7)), text != "");
}
