"""Carries a fix out on a host: capture, render, sign, send once, validate by fresh facts, put back, recover."""
