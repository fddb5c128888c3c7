"""Samples hosts continuously over open sessions and finds trends."""
