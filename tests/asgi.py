"""What every ASGI application of the tests answers alike."""

from typing import Any


async def answer_lifespan(receive: Any, send: Any) -> None:
    """Answer the events of a server that starts and stops, until it stops."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
