"""Sends messages to Slack and finds again what was posted."""
