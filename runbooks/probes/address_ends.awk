# Processes near the end of what their addresses can name: those of nearly 4 GiB that are 32-bit ones, and those whose
# limit of the stack, which every thread gets as much of, is large.
function address_ends_begin() { forget(ends_seen); forget(ends_free); ends_n = 0; ends_stacks = 0; ends_unread = 0; }

function address_ends_process() {
  if (vm_size < 0) { return; }
  if (vm_size > 4068474 && vm_size <= 4194304 && ends_n < 8) { ends_keep(); ends_narrow[++ends_n] = pid; }
  if (has_read_limits() && limits_id in ends_free) { return; }
  if (!(limit("\nMax stack size "))) { ends_unread += is_unreadable; return; }
  if (soft == "unlimited" || soft + 0 < 67108864) { ends_free[limits_id] = 1; return; }
  if (uid SUBSEP soft in ends_seen) { return; }
  ends_seen[uid SUBSEP soft] = 1;
  ends_keep();
  ends_soft[pid] = soft;
  ends_stacks++;
  keep_largest("stack", pid, soft + 0, 6);
}

function ends_keep() { note_process(); ends_size[pid] = vm_size; }

function address_ends_end(    i) {
  emit("all\tprocesses=" processes_seen "\tstacks=" ends_stacks "\tunread=" ends_unread);
  for (i = 1; i <= ends_n; i++) { ends_print("narrow", ends_narrow[i], ends_width(ends_narrow[i])); }
  for (i = 1; i <= largest_n["stack"]; i++) { ends_print("stack", largest["stack", i], ends_soft[largest["stack", i]]); }
  forget(ends_size); forget(ends_soft);
}

function ends_print(what, number, rest) { emit(noted_head(what, number) "\t" ends_size[number] "\t" rest); }

# How many bits its addresses have: by its maps, which are for its owner and root, else by its program, the fifth byte of
# an ELF file. A name of a program that is not a path, or is another file by now, tells nothing.
function ends_width(number,    file, line, width, i) {
  file = ROOT "/proc/" number "/maps";
  RS = "\n";
  while (width < 64 && (getline line < file) > 0) { if (!(index(line, "[vsyscall]"))) { width = index(line, "-") > 9 ? 64 : 32; } }
  close(file);
  RS = BLOCK;
  if (width) { return width; }
  line = slurp(ROOT "/proc/" number "/cmdline", 1);
  if (substr(line, 1, 1) != "/") { return "?"; }
  for (i = 1; substr(line, i, 1) ~ "[#-~]"; i++) { }
  line = slurp(ROOT substr(line, 1, i - 1), 1);
  if (substr(line, 2, 3) != "ELF") { return "?"; }
  # A byte of 1 ends the record where whole files are read at once.
  return substr(line, 5, 1) == sprintf("%c", 2) ? 64 : 32;
}
