"""The SSH wire: connecting, host keys, logging in, channels. Fenced: paramiko is imported here only."""
