"""Native blocks for a client that draws them, beside the text that every answer has and that says the same.

Slackbot says that it draws Block Kit (`io.slack/block-kit`), and takes the blocks in `_meta.slack.blocks` of a result. What it
drops costs nobody anything: the text is whole. Source: docs.slack.dev/ai/slackbot-mcp-client/returning-rich-responses.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from mcp_types import CLIENT_CAPABILITIES_META_KEY
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.runbooks.engine.triage import Found

EXTENSION = "io.slack/block-kit"
DRAWS_BLOCKS: Mapping[str, Any] = {"slack": {"supportsBlockKit": True}}  # of a tool whose results may have blocks
Blocks = Sequence[Mapping[str, Any]]


class Cards(Protocol):
    """What makes blocks of answers. `user` is the person who asked, by the client's own id."""

    def of_answer(self, found: Found, user: str) -> Blocks:
        """Return the blocks of one host's answer."""
        ...

    def of_fleet(self, found: Mapping[str, Found | TriagebookError], user: str) -> Blocks:
        """Return the blocks of many hosts' answers, by host."""
        ...


@dataclass(frozen=True)
class NativeBlocks:
    """What makes blocks, and for whom the request at hand wants them: '' where its client draws none."""

    cards: Cards
    viewer: Callable[[], str]

    def meta(self, draw: Callable[[Cards, str], Blocks]) -> dict[str, Any] | None:
        """Return the `_meta` of a result with its blocks; None where nobody draws them."""
        user = self.viewer()
        return {"slack": {"blocks": list(draw(self.cards, user))}} if user else None


def draws_blocks(request: Mapping[str, Any], before: bool) -> bool:
    """Say whether the client draws blocks: by this request's own word where it has one, else as it said before.

    A client of the older revisions says it when it begins (`initialize`), one of the newest with each request.
    """
    params = request.get("params")
    params = params if isinstance(params, dict) else {}
    said = params.get("capabilities") if request.get("method") == "initialize" else _member(params, CLIENT_CAPABILITIES_META_KEY)
    return EXTENSION in _extensions(said) if isinstance(said, dict) else before


def _member(params: Mapping[str, Any], name: str) -> Any:
    meta = params.get("_meta")
    return meta.get(name) if isinstance(meta, dict) else None


def _extensions(capabilities: Mapping[str, Any]) -> Mapping[str, Any]:
    found = capabilities.get("extensions")
    return found if isinstance(found, dict) else {}
