# Memory and tables of the network stack beside their limits, in the network namespace of the reader. The sockets
# themselves are listed in a second sample only: the kernel walks its whole table for it, however few there are.
function sockets_end(    text, more, parts, count) {
  text = "\n" slurp(ROOT "/proc/net/sockstat", 0);
  net_words(after(text, "\nTCP: "));
  net_has = ("alloc" in count_of);
  net_rows_most = count_of["alloc"] + count_of["tw"];
  more = net_word("inuse") net_word("orphan") net_word("tw") net_word("mem");
  net_words(after(text, "\nUDP: "));
  more = more pair("udp", count_of["mem"], "mem" in count_of);
  net_words(after("\n" slurp(ROOT "/proc/net/sockstat6", 0), "\nTCP6: "));
  count = split(after("\n" slurp(ROOT "/proc/net/protocols", 0), "\nTCP "), parts, " ");
  emit("are" more "\tinuse6=" count_of["inuse"] + 0 pair("press", parts[4], count > 4) \
    sys_pairs("net/ipv4/", "tcp_mem udp_mem ip_local_port_range ip_local_reserved_ports tcp_max_orphans") \
    sys_pairs("net/", "core/somaxconn netfilter/nf_conntrack_count netfilter/nf_conntrack_max") \
    file_pair("cpus", ROOT "/sys/devices/system/cpu/possible"));
  emit("counted" net_counters("netstat", "TcpExt:", \
    "ListenOverflows TCPAbortOnMemory TCPMemoryPressures TCPMemoryPressuresChrono RcvPruned TCPRcvQDrop TCPTimeWaitOverflow TCPReqQFullDrop") \
    net_counters("snmp", "Udp:", "MemErrors") net_drops());
  # <brief>
  if (is_brief) { return; }
  # </brief>
  if (sample_n > FIRST_SAMPLE) { net_walk(); }
}

function net_word(key) { return pair(key, count_of[key], key in count_of); }

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
  return pair("drops", whole(sum), count > 1 && sum != "");
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
function net_walk(    i, entry, buckets) {
  buckets = 2 * line_of(ROOT "/proc/sys/net/ipv4/tcp_max_tw_buckets");
  entry = 2 * line_of(ROOT "/proc/sys/net/ipv4/tcp_max_orphans");
  if (entry > buckets) { buckets = entry; }
  if (!(net_has) || buckets / 25 + net_rows_most * 4 > 30000) { emit("costly\tbuckets=" buckets); return; }
  split(line_of(ROOT "/proc/sys/net/ipv4/ip_local_port_range"), net_range, " ");
  forget(net_sum); forget(net_keys); forget(net_all); forget(net_dest_uid);
  net_rows = 0;
  entry = net_read(ROOT "/proc/net/tcp", 8);
  net_read(ROOT "/proc/net/tcp6", 32);
  if (entry < 0) { emit("unread\trows=0"); return; }
  net_largest("dest", 5); net_largest("listen", 5);
  emit("listed\trows=" net_rows "\tclose_wait=" net_all["wait"] + 0 "\theld=" whole(net_all["held"]) \
    net_user("wait", "close_wait_uid") net_user("held", "held_uid"));
  for (i = 1; i <= largest_n["dest"]; i++) {
    entry = largest["dest", i];
    emit("dest\t" entry "\t" largest_value["dest", i] "\t" (entry in net_dest_uid ? name_uid(net_dest_uid[entry]) : "?"));
  }
  for (i = 1; i <= largest_n["listen"]; i++) {
    split(largest["listen", i], net_parts, " ");
    emit("listen\t" net_parts[1] "\t" largest_value["listen", i] "\t" name_uid(net_parts[2]));
  }
}

function net_add(list, entry, amount) {
  if (!((list, entry) in net_sum)) { net_key[list, ++net_keys[list]] = entry; }
  net_sum[list, entry] += amount;
  net_all[list] += amount;
}

function net_largest(list, most,    i) {
  for (i = 1; i <= net_keys[list]; i++) { keep_largest(list, net_key[list, i], net_sum[list, net_key[list, i]], most); }
}

# The user with most of a list.
function net_user(list, key) {
  net_largest(list, 1);
  return largest_n[list] ? pair(key, name_uid(largest[list, 1]), 1) : pair(key);
}

# A row: "N: LOCAL:PORT REMOTE:PORT STATE TX:RX ... UID ...", addresses of `width` hexadecimal digits.
function net_read(file, width,    line, at, state_of, target, queues, got) {
  RS = "\n";
  while ((got = (getline line < file)) > 0) {
    at = index(line, ": ");
    if (at == 0 || index(line, "local_address")) { continue; }
    net_rows++;
    line = substr(line, at);
    state_of = substr(line, 2 * width + 15, 2);
    queues = substr(line, 2 * width + 18, 17);
    if (state_of == "0A") {
      if (substr(queues, 10) != "00000000") { at = net_uid(line); net_add("listen", net_parts[2] " " at, hex_number(substr(queues, 10))); }
      continue;
    }
    if (state_of == "08") { net_add("wait", net_uid(line), 1); }
    if (queues != "00000000:00000000") { net_add("held", net_uid(line), hex_number(substr(queues, 1, 8)) + hex_number(substr(queues, 10))); }
    if (!(net_is_local(substr(line, width + 4, 4)))) { continue; }
    target = substr(line, width + 9, width + 5);
    if (index(target, "0000000000000000FFFF0000") == 1) { target = substr(target, 25); }
    net_add("dest", target, 1);
    if (state_of == "01" && !(target in net_dest_uid)) { net_dest_uid[target] = net_uid(line); }
  }
  close(file);
  RS = BLOCK;
  return net_rows ? 1 : got;
}

function net_uid(line) { split(line, net_parts, " "); return net_parts[8]; }

# The port is one that the kernel gives out.
function net_is_local(text) {
  if (!(text in net_port)) { net_port[text] = hex_number(text); }
  return net_port[text] >= net_range[1] + 0 && net_port[text] <= net_range[2] + 0;
}
