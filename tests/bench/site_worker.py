"""A worker whose hosts are one recorded answer, which comes after about a given time: what sites cost, without what hosts cost.

python -m tests.bench.site_worker SITE URL CREDS AUTHORITY RECORDING DELAY_S AT_ONCE
"""

import signal
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

from triagebook.tools.sites.credentials import read_credentials
from triagebook.tools.sites.host_session import Ways
from triagebook.tools.sites.nats_server import NatsServer
from triagebook.tools.sites.worker import Worker
from triagebook.tools.transport import waiting
from triagebook.tools.transport.base import HostProcess
from triagebook.tools.transport.replay import Recording, ReplayTransport


class SlowReplay:
    """Every host answers with the recording, after half to one and a half times `delay_s`: each host has a time of its own."""

    def __init__(self, output: bytes, delay_s: float) -> None:
        self._replay, self._delay_s = ReplayTransport((Recording((output, output), goes_on=True),)), delay_s

    def launch(self, host: str, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> HostProcess:
        """Wait as for a login, then replay."""
        waiting.pause(self._delay_s * (0.5 + zlib.crc32(host.encode()) % 1000 / 1000))
        return self._replay.launch(host, argv, cap_bytes=cap_bytes)


def main(arguments: Sequence[str]) -> None:
    """Answer until SIGTERM."""
    site, url, creds, authority, recording, delay_s, at_once = arguments
    way = SlowReplay(Path(recording).read_bytes(), float(delay_s))
    server = NatsServer(url, read_credentials(Path(creds)), Path(authority))
    made = Worker(site, server, Ways(way), at_once=int(at_once))
    signal.signal(signal.SIGTERM, lambda _number, _frame: made.stop())
    made.run()


if __name__ == "__main__":
    main(sys.argv[1:])
