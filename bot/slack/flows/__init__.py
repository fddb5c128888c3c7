"""What happens on a command or a click: ask, propose, decide, follow."""
