"""A server process for tests: `triagebook serve`'s own code with the Slack face beside it, recorded diagnoses and an executor
that writes files. A file named `die` makes it kill itself in the middle of a change.

Configuration is a JSON object as the only argument; tokens come from the environment as they do for the product.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from triagebook.bot.slack import face as faces
from triagebook.bot.slack.settings import credentials, slack_settings
from triagebook.tools.inventory import Entry, Inventory
from triagebook.tools.names import Names
from triagebook.tools.server.hosts import Hosts
from triagebook.tools.server.options import ServeOptions
from triagebook.tools.server.run import Parts, Place, serve

from tests.slack.world import HOSTS, SlackHosts
from tests.trust.server_main import Machines
from tests.trust.world import FileExecutor, UnitRenderer


def main() -> None:
    asked = json.loads(sys.argv[1])
    data, effects = Path(asked["data"]), Path(asked["effects"])

    def step(name: str) -> None:
        if name == "execute.before_effect" and (effects.parent / "die").exists():
            os.kill(os.getpid(), signal.SIGKILL)

    options = ServeOptions(
        data=data,
        socket=Path(asked["socket"]),
        socket_mode=0o600,
        policy=Path(asked["policy"]),
        lease_s=2,
        sweep_s=0.3,
        patience_s=5,
    )
    executor = FileExecutor(effects, step)
    machines = Machines()
    parts = Parts(machines, UnitRenderer(machines), lambda _keys: executor, default_runbook=lambda: "forks")
    hosts = SlackHosts()
    names = Names(Inventory({name: Entry(name) for name in HOSTS}, {}))
    runbooks = tuple(dict.fromkeys(entry.id for entry in hosts.catalog.entries()))
    settings = slack_settings({"approvals": asked["approvals"]}, runbooks)

    @contextmanager
    def face(place: Place) -> Iterator[None]:
        found = credentials(over_http=False)
        made = faces.build(place, Hosts(hosts, names, lambda: runbooks[0]), settings, found)  # type: ignore[arg-type]
        made.inbox.lease, made.inbox.renew_s = timedelta(seconds=2), 0.5
        with faces.running(made, found):
            yield

    def ready() -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    serve(options, parts, ready, [face])


if __name__ == "__main__":
    main()
