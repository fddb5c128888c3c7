"""Calls Slack's Web API. A call fails in one of two ways: retry later, or never."""

from collections.abc import Callable, Mapping
from typing import Any

from slack_sdk.errors import SlackApiError, SlackClientError
from triagebook.runbooks.engine.text import is_whole_number

LONGEST_S = 30.0
PASSING = frozenset(
    ["ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"]
)
# A token that is refused is a matter for the operator: everything waits until it is right.
OURS = frozenset(["invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope"])


class RetryLater(Exception):
    """Slack did not take the call now; retry after so many seconds."""

    def __init__(self, why: str, after_s: float | None = None, *, is_doubtful: bool = False) -> None:
        super().__init__(why)
        self.after_s, self.is_doubtful = after_s, is_doubtful  # doubtful: perhaps it was done all the same


class CannotSend(Exception):
    """Slack will never take this message; holds its error word."""


def call(method: Callable[..., Any], **values: Any) -> Mapping[str, Any]:
    """Make one call of the Web API. Raises RetryLater or CannotSend."""
    try:
        answer: Mapping[str, Any] = method(**values).data
    except SlackApiError as error:
        status, word = error.response.status_code, str(error.response.get("error", ""))
        if status == 429 or word in PASSING or status >= 500:
            after = str(error.response.headers.get("Retry-After", "") or error.response.headers.get("retry-after", ""))
            is_doubtful = status != 429 and word not in {"ratelimited", "rate_limited"}
            raise RetryLater(
                word or str(status), float(after) if is_whole_number(after) else None, is_doubtful=is_doubtful
            ) from None
        if word in OURS:
            raise RetryLater(f"{word} {error.response.get('needed', '')}".strip(), LONGEST_S) from None
        raise CannotSend(word) from None
    except (SlackClientError, OSError, ValueError) as error:  # no connection, or an answer that is no JSON
        raise RetryLater(type(error).__name__, is_doubtful=True) from None
    return answer
