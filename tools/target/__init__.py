"""What is installed on a host: the fix helper, and the text of the files around it."""
