"""Preparing a host: install, check, rotate a key, uninstall. Functions over an open session as root (or by sudo)."""
