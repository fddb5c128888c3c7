"""Block Kit cards: pure functions from views to plain dicts."""
