# Of the installed collector only: a pace line "read NAME SUBJECT..." has that program started once more with the line as its
# one argument, and what it prints becomes records. No word of the line can leave its quotes: none holds one.

function readings_pace(    quote, command, part, status) {
  quote = sprintf("%c", 39);
  if (substr(pace, 1, 5) != "read " || index(pace, quote)) { return; }
  command = "\"$TRIAGEBOOK_COLLECTOR\" " quote pace quote " 2>/dev/null; echo $?";
  RS = "\n";
  status = "";
  while ((command | getline part) > 0) {
    if (status != "") { answer = answer TAG "\tread\t" status "\n"; }
    status = part;
    if (length(answer) > 8000) { printf "%s", answer; answer = ""; }
  }
  close(command);
  RS = BLOCK;
  printf "%s", answer TAG "\tdone\t" status "\t" pace "\n";
  fflush();
  answer = "";
}
