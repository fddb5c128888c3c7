# threads-max and pid_max beside what lives. Numbers below 300 are not given out again after the first wrap, so what
# counts is how many tasks have one from 300 up: those of a process numbered so, at least. A process from below 300 may
# have threads above; near the limit the 299 low numbers are looked up one by one instead (procfs finds threads by
# number, although it does not list them), and the rest of all tasks is above.
function kernel_limits_begin() { ids_from_300 = 0; }

function kernel_limits_process() { if (pid + 0 >= 300) { ids_from_300 += threads; } }

function kernel_limits_end(    forks, limit, id, low) {
  forks = after(slurp(ROOT "/proc/stat", 0), "\nprocesses ");
  forks = pair("forks", forks, found);
  limit = line_of(ROOT "/proc/sys/kernel/pid_max");
  limit = pair("pid_max", limit, readable > 0);
  if (readable > 0 && tasks_total != "" && tasks_total * 2 >= substr(limit, 10) - 300) {
    for (id = 1; id < 300; id++) {
      slurp(ROOT "/proc/" id "/stat", 1);
      if (readable > 0) { low++; }
    }
    if (tasks_total - low > ids_from_300) { ids_from_300 = tasks_total - low; }
  }
  emit("are" file_pair("threads_max", ROOT "/proc/sys/kernel/threads-max") limit forks "\tids_from_300=" ids_from_300);
}
