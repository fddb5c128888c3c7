# Columns of tables below /proc that runbooks name: a line of proc_table_list() for each, "ID FILE SKIPPED SEPARATORS COLUMNS
# LARGEST ROWS", which is written from the declarations. At most 5000 lines of a table are read.
function proc_table_end(    i, count, tables) {
  count = split(proc_table_list(), tables, "\n");
  for (i = 1; i <= count; i++) { proc_table_read(tables[i]); }
}

function proc_table_read(table,    spec, columns, count, line, got, read_n, rows_n, values, sums, record, i, all) {
  split(table, spec, " ");
  count = split(spec[5], columns, ",");
  RS = "\n";
  while ((got = (getline line < (ROOT spec[2]))) > 0) {
    read_n++;
    if (read_n > 5000) { break; }
    if (read_n <= spec[3] + 0) { continue; }
    if (split(proc_table_plain(line, spec[4]), values, " ") == 0) { continue; }
    rows_n++;
    record = "";
    for (i = 1; i <= count; i++) {
      sums[i] += values[columns[i]];
      record = record "\t" ((columns[i] in values) ? shown(values[columns[i]]) : "?");
    }
    keep_largest("table" spec[1], record, spec[6] > 0 ? values[columns[spec[6]]] + 0 : -rows_n, spec[7] + 0);
  }
  close(ROOT spec[2]);
  RS = BLOCK;
  if (got < 0 && read_n + 0 == 0) { return; }
  for (i = 1; i <= count; i++) { all = all "\t" whole(sums[i] + 0); }
  emit(spec[1] "\tall\t" (rows_n + 0) "\t" (read_n > 5000) all);
  for (i = 1; i <= largest_n["table" spec[1]]; i++) { emit(spec[1] "\trow" largest["table" spec[1], i]); }
}

function proc_table_plain(line, separators,    i, j, count, parts) {
  if (separators == "-") { return line; }
  for (i = 1; i <= length(separators); i++) {
    count = split(line, parts, substr(separators, i, 1));
    line = "";
    for (j = 1; j <= count; j++) { line = line " " parts[j]; }
  }
  return line;
}
