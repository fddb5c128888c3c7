# Memory and tables of the network stack beside their limits, in the network namespace of the reader. The sockets
# themselves are listed in a second sample only: the kernel walks its whole table for it, however few there are.
function sockets_end(    text, more, parts, count, tcp, udp) {
  text = slurp(ROOT "/proc/net/sockstat", 0);
  tcp = after("\n" text, "\nTCP: "); udp = after("\n" text, "\nUDP: ");
  net_words(tcp);
  net_has = ("alloc" in count_of);
  net_rows_most = count_of["alloc"] + count_of["tw"];
  more = net_word("inuse") net_word("orphan") net_word("tw") net_word("mem");
  net_words(udp);
  more = more pair("udp", count_of["mem"], "mem" in count_of);
  net_words(after("\n" slurp(ROOT "/proc/net/sockstat6", 0), "\nTCP6: "));
  count = split(after("\n" slurp(ROOT "/proc/net/protocols", 0), "\nTCP "), parts, " ");
  emit("are" more "\tinuse6=" count_of["inuse"] + 0 pair("press", parts[4], count > 4) net_pair("tcp_mem", "ipv4/tcp_mem") \
    net_pair("udp_mem", "ipv4/udp_mem") net_pair("ports", "ipv4/ip_local_port_range") net_pair("reserved", "ipv4/ip_local_reserved_ports") \
    net_pair("orphans", "ipv4/tcp_max_orphans") net_pair("somaxconn", "core/somaxconn") \
    net_pair("tracked", "netfilter/nf_conntrack_count") net_pair("tracked_max", "netfilter/nf_conntrack_max") \
    file_pair("cpus", ROOT "/sys/devices/system/cpu/possible"));
  emit("counted" net_counters("netstat", "TcpExt:", \
    "ListenOverflows TCPAbortOnMemory TCPMemoryPressures TCPMemoryPressuresChrono RcvPruned TCPRcvQDrop TCPTimeWaitOverflow TCPReqQFullDrop") \
    net_counters("snmp", "Udp:", "MemErrors") net_drops());
  if (sample_n > FIRST_SAMPLE && !(is_brief)) { net_walk(); }
}

function net_word(key) { return pair(key, count_of[key], key in count_of); }

function net_pair(key, name) { return file_pair(key, ROOT "/proc/sys/net/" name); }

# "inuse 15 orphan 0" as an array.
function net_words(text,    parts, count, i) {
  forget(count_of);
  count = split(text, parts, " ");
  for (i = 1; i < count; i += 2) { count_of[parts[i]] = parts[i + 1]; }
}

# The wanted counters of a family, whose names stand on the line before the values.
function net_counters(file, family, wanted,    lines, heads, values, i, j, count, rest) {
  count = split(slurp(ROOT "/proc/net/" file, 0), lines, "\n");
  for (i = 1; i < count; i++) {
    if (index(lines[i], family) == 1) {
      for (j = split(lines[i], heads, " "); j > 1; j--) {
        if (index(" " wanted " ", " " heads[j] " ") && split(lines[i + 1], values, " ")) { rest = rest pair(heads[j], values[j], 1); }
      }
      return rest;
    }
  }
}

# Packets that netfilter dropped for want of an entry: hexadecimal, a row for each CPU.
function net_drops(    lines, count, heads, parts, i, j, sum, width) {
  count = split(slurp(ROOT "/proc/net/stat/nf_conntrack", 0), lines, "\n");
  width = split(lines[1], heads, " ");
  for (i = 2; i <= count; i++) {
    if (split(lines[i], parts, " ") != width) { continue; }
    sum += 0;
    for (j = 1; j <= width; j++) { if (heads[j] == "drop" || heads[j] == "early_drop") { sum += hex_number(parts[j]); } }
  }
  return pair("drops", sprintf("%.0f", sum), count > 1 && sum != "");
}

function hex_number(text,    i, sum, digit) {
  for (i = 1; i <= length(text); i++) {
    digit = index("123456789ABCDEFabcdef", substr(text, i, 1));
    sum = sum * 16 + (digit > 15 ? digit - 6 : digit);
  }
  return sum + 0;
}

# --- the sockets themselves ----------------------------------------------------------------------------------------------

# By what the kernel's table costs, which has twice as many buckets as orphans or waiting sockets are allowed by default,
# and by the rows: 30 ms at most.
function net_walk(    i, entry, buckets, uid) {
  buckets = 2 * slurp(ROOT "/proc/sys/net/ipv4/tcp_max_tw_buckets", 1);
  entry = 2 * slurp(ROOT "/proc/sys/net/ipv4/tcp_max_orphans", 1);
  if (entry > buckets) { buckets = entry; }
  if (!(net_has) || buckets / 25 + net_rows_most * 4 > 30000) { emit("costly\tbuckets=" buckets); return; }
  split(first_line(slurp(ROOT "/proc/sys/net/ipv4/ip_local_port_range", 1)), net_range, " ");
  forget(net_dest); forget(net_dest_uid); forget(net_wait); forget(net_held); forget(net_queue); forget(net_listener);
  net_dests = 0; net_listeners = 0; net_waiting = 0; net_rows = 0; net_holding = 0; net_waiters = 0; net_holders = 0;
  entry = net_read(ROOT "/proc/net/tcp", 8);
  net_read(ROOT "/proc/net/tcp6", 32);
  if (entry < 0) { emit("unread\trows=0"); return; }
  for (i = 1; i <= net_dests; i++) { keep_largest("dest", net_dest_list[i], net_dest[net_dest_list[i]], 5); }
  for (i = 1; i <= net_listeners; i++) { keep_largest("listen", net_listener[i], net_queue[net_listener[i]], 5); }
  for (i = 1; i <= net_waiters; i++) { keep_largest("wait", net_wait_list[i], net_wait[net_wait_list[i]], 1); }
  for (i = 1; i <= net_holders; i++) { keep_largest("held", net_held_list[i], net_held[net_held_list[i]], 1); }
  emit("listed\trows=" net_rows "\tclose_wait=" net_waiting "\theld=" sprintf("%.0f", net_holding) \
    pair("close_wait_uid", largest["wait", 1], net_waiters > 0) pair("held_uid", largest["held", 1], net_holders > 0));
  if (net_waiters) { name_uid(largest["wait", 1]); }
  if (net_holders) { name_uid(largest["held", 1]); }
  for (i = 1; i <= largest_n["dest"]; i++) {
    entry = largest["dest", i];
    uid = entry in net_dest_uid ? name_uid(net_dest_uid[entry]) : "?";
    emit("dest\t" entry "\t" net_dest[entry] "\t" uid);
  }
  for (i = 1; i <= largest_n["listen"]; i++) {
    split(largest["listen", i], net_parts, " ");
    emit("listen\t" net_parts[1] "\t" net_queue[largest["listen", i]] "\t" name_uid(net_parts[2]));
  }
}

# A row: "N: LOCAL:PORT REMOTE:PORT STATE TX:RX ... UID ...", addresses of `width` hexadecimal digits.
function net_read(file, width,    line, at, row, kind_of, target, queues, got) {
  RS = "\n";
  while ((got = (getline line < file)) > 0) {
    at = index(line, ": ");
    if (at == 0 || index(line, "local_address")) { continue; }
    net_rows++;
    kind_of = substr(line, at + 2 * width + 14, 2);
    queues = substr(line, at + 2 * width + 17, 17);
    if (kind_of == "0A") {
      if (substr(queues, 10) != "00000000") {
        split(substr(line, at), row, " ");
        target = row[2] " " row[8];
        net_listener[++net_listeners] = target; net_queue[target] = hex_number(substr(queues, 10));
      }
      continue;
    }
    if (kind_of == "08" || queues != "00000000:00000000") {
      split(substr(line, at), row, " ");
      if (kind_of == "08") {
        net_waiting++;
        if (!(row[8] in net_wait)) { net_wait_list[++net_waiters] = row[8]; }
        net_wait[row[8]]++;
      }
      if (queues != "00000000:00000000") {
        if (!(row[8] in net_held)) { net_held_list[++net_holders] = row[8]; }
        got = hex_number(substr(queues, 1, 8)) + hex_number(substr(queues, 10));
        net_held[row[8]] += got; net_holding += got;
      }
    }
    if (!(net_is_local(substr(line, at + width + 3, 4)))) { continue; }
    target = substr(line, at + width + 8, width + 5);
    if (index(target, "0000000000000000FFFF0000") == 1) { target = substr(target, 25); }
    if (!(target in net_dest)) { net_dest_list[++net_dests] = target; }
    net_dest[target]++;
    if (kind_of == "01" && !(target in net_dest_uid)) { split(substr(line, at), row, " "); net_dest_uid[target] = row[8]; }
  }
  close(file);
  RS = BLOCK;
  return net_rows ? 1 : got;
}

# The port is one that the kernel gives out.
function net_is_local(text) {
  if (!(text in net_port)) { net_port[text] = hex_number(text); }
  return net_port[text] >= net_range[1] + 0 && net_port[text] <= net_range[2] + 0;
}
