"""What every face shares: channels, permission, single-flight, limits, advice, the JSON of a fix. A face never imports a face."""

from triagebook.tools.policy.channels import CHANNELS as CHANNELS
