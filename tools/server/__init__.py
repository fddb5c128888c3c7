"""`triagebook serve`: the one process that holds the keys, and the socket by which it is asked."""
