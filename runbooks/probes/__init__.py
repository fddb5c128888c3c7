"""Defines what can be read on a host: a closed vocabulary of kinds, one pair of files a kind.

KIND.awk says what to read (the collector joins the wanted ones into one program), KIND.py holds the fact dataclasses
(`FACTS` names the outermost) and the pure `parse(samples)` that joins the printed records. A kind that needs a program
on the host has no .awk but `command(subject)`, a fixed argv. Adding a kind is adding the pair.
"""
