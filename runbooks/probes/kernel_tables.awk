# Tables of the kernel that a request may not fit into: asynchronous I/O, options of a socket, memory cgroups.
function kernel_tables_end(    text, parts, blocks, i, j, count, lines) {
  count = split(slurp(ROOT "/proc/buddyinfo", 0), lines, "\n");
  blocks = count ? 0 : "";
  for (i = 1; i <= count; i++) {
    # "Node 0, zone Normal" and the free blocks of each order from 0.
    if (split(lines[i], parts, " ") > 8 && (parts[4] == "Normal" || parts[4] == "DMA32")) { for (j = 9; j in parts; j++) { blocks += parts[j]; } }
  }
  text = after("\n" slurp(ROOT "/proc/cgroups", 0), "\nmemory\t");
  emit("are" pair("blocks", sprintf("%.0f", blocks + 0), blocks != "") file_pair("aio_nr", ROOT "/proc/sys/fs/aio-nr") file_pair("aio_max_nr", ROOT "/proc/sys/fs/aio-max-nr") \
    file_pair("optmem_max", ROOT "/proc/sys/net/core/optmem_max") \
    pair("memory_cgroups", split(text, parts, "\t") >= 2 ? parts[2] : "", found));
}
