"""Processes that crash, and what looks like it. Data only."""

from tests.lab.field_recipes import Recipe

CRASHED: dict[str, Recipe] = {}
