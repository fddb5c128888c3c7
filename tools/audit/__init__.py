"""Keeps an audit log that shows edits, deletions, reordering and a cut tail: RFC 6962 tree, C2SP checkpoints, anchors."""
