"""The Slack face lets people diagnose hosts and decide on fixes in Slack. Only modules that talk to Slack import its SDK."""
