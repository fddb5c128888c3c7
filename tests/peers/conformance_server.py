"""A server for the conformance suite: our factory on loopback HTTP, with the suite's fixture tools or (`product`) without."""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from mcp.server.streamable_http import EventCallback, EventId, EventMessage, EventStore, StreamId
from mcp_types.jsonrpc import JSONRPCMessage
from triagebook.tools.faces.limits import RateLimits
from triagebook.tools.mcp_server import http
from triagebook.tools.mcp_server import server as factory
from triagebook.tools.mcp_server.auth import Caller
from triagebook.tools.mcp_server.tasks import RULES, TaskRule

from tests.peers import fixture_tools
from tests.system.mcp import world as worlds

FIXTURE_RULES = {
    **RULES,
    "slow_compute": TaskRule(0),
    "failing_job": TaskRule(0, is_required=True),
    "protocol_error_job": TaskRule(0),
    "confirm_delete": TaskRule(0),
    "multi_input": TaskRule(0),
    "test_tool_with_task": TaskRule(0, is_required=True, asks_first=True),
}


class Kept(EventStore):
    """Events in memory, for the scenario that ends a stream and comes back."""

    def __init__(self) -> None:
        self.events: list[tuple[StreamId, JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: StreamId, message: JSONRPCMessage | None) -> EventId:
        self.events.append((stream_id, message))
        return str(len(self.events))

    async def replay_events_after(self, last_event_id: EventId, send_callback: EventCallback) -> StreamId | None:
        last = int(last_event_id)
        if not 0 < last <= len(self.events):
            return None
        stream = self.events[last - 1][0]
        for number, (of, message) in enumerate(self.events, 1):
            if of == stream and number > last and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


def main() -> None:
    """Print the port, then serve until killed."""
    with_fixtures = sys.argv[1] != "product"
    directory = Path(tempfile.mkdtemp(prefix="triagebook-conformance-"))
    options = http.http_options("127.0.0.1:0")
    world = worlds.build(directory, RateLimits(burst=1e9), FIXTURE_RULES if with_fixtures else RULES)
    world.now[0] = Caller(world.now[0].actor)
    if with_fixtures:
        fixture_tools.mount(world.server)
    app = http.application(world.server, options, store=Kept()) if with_fixtures else http.application(world.server, options)
    with http.listen(options, app) as port:
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    assert factory
    main()
