# threads-max and pid_max beside what lives. A thread is never numbered below the process that made it, so the
# tasks of a process with a PID from 300 up all take numbers from 300 up (until the numbers wrap: then all do).
function kernel_limits_begin() { ids_from_300 = 0; }

function kernel_limits_process() { if (pid + 0 >= 300) { ids_from_300 += threads; } }

function kernel_limits_end(    text) {
  text = after(slurp(ROOT "/proc/stat", 0), "\nprocesses ");
  text = pair("forks", text, found);
  emit("are" file_pair("threads_max", ROOT "/proc/sys/kernel/threads-max") \
    file_pair("pid_max", ROOT "/proc/sys/kernel/pid_max") text "\tids_from_300=" ids_from_300);
}
