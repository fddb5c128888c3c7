"""Durable work in the background: stored before it is acknowledged, handled by worker threads, taken over when a server dies."""
