"""Cards turn views into Block Kit, by pure functions that return plain dicts."""
