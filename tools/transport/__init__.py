"""Runs commands on a host: over SSH, on this machine, from a recording, or over the session of a watch."""
