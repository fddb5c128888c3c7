"""The fix helper as it is installed on a host, built of the shell parts here and of each action's own."""
