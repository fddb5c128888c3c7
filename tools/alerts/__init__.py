"""Alerts of monitoring systems as questions: received, stored, matched to a host and runbooks, diagnosed, told once."""
