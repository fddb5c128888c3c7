"""Judges whether Slack has signed a request, within five minutes of now."""

from collections.abc import Callable, Mapping

from slack_sdk.signature import SignatureVerifier
from triagebook.bot.slack.settings import require_secret


def is_signed(verifier: SignatureVerifier, body: str, headers: Mapping[str, str]) -> bool:
    """Tell whether the signature is of this body and its time is near."""
    try:
        return verifier.is_valid_request(body, dict(headers))
    except (ValueError, TypeError):  # a time that is no number, a signature that is no text
        return False


def signature_check() -> Callable[[str, Mapping[str, str]], bool]:
    """Return the check by the configured secret. Raises UsageError without one: then anybody could say to be Slack."""
    verifier = SignatureVerifier(require_secret())
    return lambda body, headers: is_signed(verifier, body, headers)
