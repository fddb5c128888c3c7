"""Receives what Slack sends: requests with their signatures, into the inbox."""
