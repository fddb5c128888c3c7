"""What goes to Slack: calls of its Web API, and what was posted."""
