"""Serves assistants over MCP: tools, resources and a prompt. This face parses and renders; the services decide."""
