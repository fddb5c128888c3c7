"""Describes a kind of sender: the body it posts, read as alerts. A further kind is one more file in `senders/`."""

import importlib
import json
import pkgutil
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Protocol, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import safe_text
from triagebook.runbooks.library.node import Node
from triagebook.tools.alerts import senders
from triagebook.tools.alerts.alert import AlertBatch

Form = TypeVar("Form", bound="SenderForm")
CheckOption = Callable[[Node], None]
MOST_ALERTS = 5000  # of one delivery


class SenderForm(BaseModel):
    """The base of what a sender posts: members we do not use are ignored, since senders add some with each release."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class AlertSender(Protocol):
    """What a module of `senders/` offers. `OPTIONS` are the keys of its own that a source in alerts.yaml may have.

    What checks each of them is called when the server starts. It raises RunbookError with file and line.
    """

    OPTIONS: Mapping[str, CheckOption]
    REQUIRED: tuple[str, ...]  # of OPTIONS
    CREDENTIALS: tuple[str, ...]  # the ways in which it can prove who it is, of `credentials.WAYS`

    def read(self, body: object, source: str, options: Mapping[str, object]) -> AlertBatch:
        """Return the alerts of a body. Raises UsageError `alert_body`: what is wrong with it, and where."""
        ...


@lru_cache(maxsize=1)
def kinds() -> Mapping[str, AlertSender]:
    """Return every kind of sender by its name: the modules that lie in `senders/`."""
    names = sorted(module.name for module in pkgutil.iter_modules(senders.__path__))
    return {name: cast(AlertSender, importlib.import_module(f"{senders.__name__}.{name}")) for name in names}


def parse_body(raw: bytes) -> object:
    """Return the JSON of a delivery. Raises UsageError `alert_body`."""
    try:
        found: object = json.loads(raw)
    except (ValueError, RecursionError):
        raise UsageError("the body is no JSON", reason="alert_body") from None
    return found


def read_form(form: type[Form], body: object) -> Form:
    """Return a body as the form of its sender. Raises UsageError `alert_body`, which names the first wrong member."""
    try:
        return form.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise UsageError(f"{safe_text(where, 100)}: {safe_text(first['msg'], 200)}", reason="alert_body") from None


def require_few(count: int) -> None:
    """Refuse a delivery of more alerts than anybody sends. Raises UsageError `alert_body`."""
    if count > MOST_ALERTS:
        raise UsageError(f"{count} alerts in one delivery: at most {MOST_ALERTS}", reason="alert_body")
