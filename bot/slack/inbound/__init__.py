"""What arrives from Slack: requests, their signatures, the inbox."""
