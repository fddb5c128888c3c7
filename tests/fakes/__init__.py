"""Stand-ins for services that tests cannot have: each is held against an independent one where that can be installed."""
