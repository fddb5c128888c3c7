# Tables of the kernel that a request may not fit into: asynchronous I/O, options of a socket, memory cgroups. And whether a provider
# limits this host from outside: OpenVZ counts what it refused, CloudLinux shows its limits to root only.
function kernel_tables_end(    text, parts, blocks, i, j, count, lines) {
  count = split(slurp(ROOT "/proc/buddyinfo", 0), lines, "\n");
  blocks = count ? 0 : "";
  for (i = 1; i <= count; i++) {
    # "Node 0, zone Normal" and the free blocks of each order from 0.
    if (split(lines[i], parts, " ") > 8 && (parts[4] == "Normal" || parts[4] == "DMA32")) { for (j = 9; j in parts; j++) { blocks += parts[j]; } }
  }
  text = after("\n" slurp(ROOT "/proc/cgroups", 0), "\nmemory\t");
  table_provider();
  emit("are" provider_pairs pair("blocks", whole(blocks + 0), blocks != "") sys_pairs("", "fs/aio-nr fs/aio-max-nr net/core/optmem_max") \
    pair("memory_cgroups", split(text, parts, "\t") >= 2 ? parts[2] : "", found));
}

function table_provider(    lines, count, i, n, parts, names, refused) {
  count = split(slurp(ROOT "/proc/user_beancounters", 0), lines, "\n");
  for (i = 3; i <= count; i++) {
    n = split(lines[i], parts, " ");
    if (n > 5 && parts[n] + 0 > 0) { refused += parts[n]; names = names " " parts[n - 5]; }
  }
  provider_pairs = pair("provider_refused", whole(refused + 0), count > 2) pair("provider_names", substr(names, 2), count > 2);
  slurp(ROOT "/proc/vz/veinfo", 1);
  if (readable >= 0 || count > 2) { provider_pairs = provider_pairs pair("provider", "openvz", 1); }
  slurp(ROOT "/proc/lve/list", 1);
  if (readable >= 0) { provider_pairs = provider_pairs pair("provider", "cloudlinux", 1); }
}
