# Memory, commit accounting, pressure and reclaim counters; kB and pages as the kernel prints them.
function meminfo_end(    text, i, count, keys, record, stalls, value) {
  text = "\n" slurp(ROOT "/proc/meminfo", 0);
  count = split("MemTotal MemAvailable SwapTotal SwapFree CommitLimit Committed_AS Hugetlb KernelStack PageTables Shmem HugePages_Total HugePages_Free HugePages_Rsvd Hugepagesize", keys, " ");
  for (i = 1; i <= count; i++) {
    value = after(text, "\n" keys[i] ":");
    record = record pair(keys[i], whole(value + 0), found);
  }
  record = record sys_pairs("vm/", "overcommit_memory overcommit_ratio overcommit_kbytes admin_reserve_kbytes user_reserve_kbytes");
  text = "\n" slurp(ROOT "/proc/pressure/memory", 0);
  value = after(text, "\nsome avg10="); record = record pair("some", first_word(value), found);
  value = after(text, "\nfull avg10="); record = record pair("full", first_word(value), found);
  text = "\n" slurp(ROOT "/proc/vmstat", 0);
  count = split("oom_kill pswpin pswpout", keys, " ");
  for (i = 1; i <= count; i++) {
    value = after(text, "\n" keys[i] " ");
    record = record pair(keys[i], value, found);
  }
  stalls = "";
  while ((i = index(text, "\nallocstall")) > 0) {
    text = substr(text, i + 11);
    value = first_line(substr(text, 1, 60));
    stalls += substr(value, index(value, " ") + 1);
  }
  emit("is" record pair("stalls", whole(stalls + 0), stalls != ""));
}
