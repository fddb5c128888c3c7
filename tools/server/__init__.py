"""The approval server (`triagebook serve`) is the one process that holds the keys; it answers requests on a Unix socket."""
