# Of the installed collector only: a pace line "read NAME SUBJECT..." has that program started once more, and that prints the
# records of the answer. The line and the tag go by its standard input: no command is made of what was asked, and no
# other user can see the tag.

function readings_pace(    command) {
  if (substr(pace, 1, 5) != "read ") { return; }
  command = "\"$TRIAGEBOOK_COLLECTOR\" reading";
  print TAG "\n" pace | command;
  close(command);
}
