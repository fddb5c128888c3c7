# Where core dumps go and which are stored, whether the kernel tells of crashes, memory that failed, and stacks near their limit.
# The names of stored dumps come as operands: core.NAME.UID.BOOT.PID.MICROSECONDS, with a suffix if they are compressed.
function core_setup_begin() { forget(core_stk); core_near_n = 0; core_seen = 0; core_zero = 0; core_unread = 0; }

function core_setup_process(    used) {
  if (is_kernel_thread || vm_size < 0) { return; }
  core_seen++;
  if (limit("\nMax core file size ")) { core_zero += (soft == "0"); }
  # <brief>
  if (is_as_kept) { return; }
  # </brief>
  used = status_number("VmStk:");
  if (used < 200) { return; }
  if (!(limit("\nMax stack size "))) { core_unread += is_unreadable; return; }
  if (soft == "unlimited" || used * 1024 * 10 < soft * 9) { return; }
  read_cgroup();
  if (++core_near_n <= 8) { core_stk[core_near_n] = head("stack", pid, comm, uid, path) "\t" used "\t" soft; }
}

function core_setup_end(    i, text, boot, total, uncorrected, corrected, found_edac) {
  for (i = 0; i < 8; i++) {
    text = line_of(ROOT "/sys/devices/system/edac/mc/mc" i "/ue_count");
    if (readable > 0) { found_edac = 1; uncorrected += text; corrected += line_of(ROOT "/sys/devices/system/edac/mc/mc" i "/ce_count"); }
  }
  text = "\n" slurp(ROOT "/proc/meminfo", 0);
  i = readable;
  # A kernel that cannot take failed memory out of use has no such line.
  text = pair("corrupted", whole(after(text, "\nHardwareCorrupted:") + 0), i > 0);
  boot = line_of(ROOT "/proc/sys/kernel/random/boot_id");
  boot = substr(boot, 1, 8) substr(boot, 10, 4) substr(boot, 15, 4) substr(boot, 20, 4) substr(boot, 25);
  for (i = 1; i <= listed_n; i++) { if (index(listed[i], "/core.") && index(listed[i], "." boot ".")) { total++; core_keep(listed[i]); } }
  emit("all" sys_pairs("", "kernel/core_pattern kernel/core_pipe_limit fs/suid_dumpable debug/exception-trace kernel/dmesg_restrict") text "\tedac=" found_edac + 0 "\tue=" uncorrected + 0 \
    "\tce=" corrected + 0 core_listing(total + 0) "\tprocesses=" core_seen "\tzero=" core_zero \
    "\tunread=" core_unread "\tnear=" core_near_n);
  for (i = 1; i <= core_near_n && i <= 8; i++) { emit(core_stk[i]); }
  for (i = 1; i <= largest_n["cores"]; i++) { emit("core\t" shown(largest["cores", i])); }
}

# The time in its name, to the millisecond: the newest are kept.
function core_keep(file,    parts, count) {
  while ((count = index(file, "/core.")) > 0) { file = substr(file, count + 6); }
  count = split(file, parts, ".");
  keep_largest("cores", file, substr(parts[count] ~ "^[0-9]+$" ? parts[count] : parts[count - 1], 1, 13) + 0, 20);
}

# How many of this boot are stored; not known where there are too many to be passed along, or none can be listed.
function core_listing(total,    i) {
  for (i = 1; i <= listed_n; i++) { if (index(listed[i], "cores=") == 1) { return "\tstored?\twhy=" shown(substr(listed[i], 7)); } }
  return "\tstored=" total;
}
