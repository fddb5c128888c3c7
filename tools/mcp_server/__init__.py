"""The MCP face: tools, resources and a prompt for assistants. It parses and renders; the services decide."""
