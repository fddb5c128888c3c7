"""The Slack face. Only modules that talk to Slack import its SDK; mrkdwn, limits and cards are pure."""
