"""Flows do what a command or a click asks for: diagnose, propose, decide, follow."""
