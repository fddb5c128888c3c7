"""Events for other systems: stored with the row they tell of, sent at least once, in order, through a dead receiver for a day."""
