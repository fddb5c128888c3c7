"""Prepares hosts for fixes: install, check, rotate a key, uninstall. All works over an open session as root (or with sudo)."""
