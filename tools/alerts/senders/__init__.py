"""One module a kind of sender of alerts; `tools/alerts/sender.py` says what each offers and finds them by their names."""
