# Tables of the kernel that a request may not fit into: asynchronous I/O, options of a socket, memory cgroups.
function kernel_tables_end(    text, parts) {
  text = after("\n" slurp(ROOT "/proc/cgroups", 0), "\nmemory\t");
  emit("are" file_pair("aio_nr", ROOT "/proc/sys/fs/aio-nr") file_pair("aio_max_nr", ROOT "/proc/sys/fs/aio-max-nr") \
    file_pair("optmem_max", ROOT "/proc/sys/net/core/optmem_max") \
    pair("memory_cgroups", split(text, parts, "\t") >= 2 ? parts[2] : "", found));
}
