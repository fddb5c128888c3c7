"""Starts the MCP server of triagebook, which `uv` has installed from pyproject.toml beside this file."""

from triagebook.bot.cli.app import main

main()
