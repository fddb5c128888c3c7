"""Holds what every face shares: channels, permission, single-flight, limits, advice, the JSON of a fix.

A face never imports another face; what two of them need is here.
"""

from triagebook.tools.policy.channels import CHANNELS as CHANNELS
