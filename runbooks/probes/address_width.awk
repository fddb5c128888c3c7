# Processes of nearly 4 GiB, which is the end of what a 32-bit program can name, and how wide their addresses are.
function address_width_begin() { narrow_n = 0; }

function address_width_process() {
  if (vm_size <= 4068474 || vm_size > 4194304 || narrow_n >= 8) { return; }
  narrow[++narrow_n] = pid;
  narrow_comm[narrow_n] = comm; narrow_uid[narrow_n] = uid; narrow_size[narrow_n] = vm_size;
}

function address_width_end(    i) {
  emit("all\tprocesses=" processes_seen);
  for (i = 1; i <= narrow_n; i++) {
    pid = narrow[i];
    has_cgroup = 0;
    read_cgroup();
    emit(head("narrow", pid, narrow_comm[i], narrow_uid[i], path) "\t" narrow_size[i] "\t" address_width_of(pid));
  }
}

# By its maps, which are for its owner and root, else by its program: the fifth byte of an ELF file. A name of a program
# that is no path tells nothing.
function address_width_of(number,    file, line, width, i) {
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
