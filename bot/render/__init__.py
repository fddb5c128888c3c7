"""Renders diagnoses, fixes and watches as text for a terminal."""
