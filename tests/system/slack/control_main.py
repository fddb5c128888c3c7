"""The control: an ASGI application that answers and does nothing else, served as the product's endpoint is."""

import sys
import threading
from pathlib import Path
from typing import Any

from triagebook.tools.server.web import listen

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.asgi import answer_lifespan


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await answer_lifespan(receive, send)
        return
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


with listen("127.0.0.1:0", app, "control") as port:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    stopped = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()
    stopped.wait()
