"""One call of Slack's Web API, and the two ways in which it can fail: not now, or never."""

from collections.abc import Callable, Mapping
from typing import Any

from slack_sdk.errors import SlackApiError, SlackClientError

LONGEST_S = 30.0
PASSING = frozenset(
    ["ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"]
)
# A token that is refused is a matter for the operator: everything waits until it is right.
OURS = frozenset(["invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope"])


class RetryLater(Exception):
    """Not now; perhaps after so many seconds."""

    def __init__(self, why: str, after_s: float | None = None, *, is_doubtful: bool = False) -> None:
        super().__init__(why)
        self.after_s, self.is_doubtful = after_s, is_doubtful  # doubtful: perhaps it was done all the same


class CannotSend(Exception):
    """Slack will not take this message; its error word."""


def call(method: Callable[..., Any], **values: Any) -> Mapping[str, Any]:
    """One call of the Web API. Raises Later or Never."""
    try:
        answer: Mapping[str, Any] = method(**values).data
    except SlackApiError as error:
        status, word = error.response.status_code, str(error.response.get("error", ""))
        if status == 429 or word in PASSING or status >= 500:
            after = str(error.response.headers.get("Retry-After", "") or error.response.headers.get("retry-after", ""))
            is_doubtful = status != 429 and word not in {"ratelimited", "rate_limited"}
            raise RetryLater(word or str(status), float(after) if after.isdigit() else None, is_doubtful=is_doubtful) from None
        if word in OURS:
            raise RetryLater(f"{word} {error.response.get('needed', '')}".strip(), LONGEST_S) from None
        raise CannotSend(word) from None
    except (SlackClientError, OSError, ValueError) as error:  # no connection, or an answer that is no JSON
        raise RetryLater(type(error).__name__, is_doubtful=True) from None
    return answer
