"""A server process for tests: `triagebook serve`'s own code with the Slack face beside it, recorded diagnoses and an executor
that writes files. A file `die` in its folder names the step at which it kills itself: the first time it comes there, or `STEP N`.

Configuration is a JSON object as the only argument; tokens come from the environment as they do for the product. With `http` it
takes deliveries at a port of its own, which it says, instead of over a WebSocket. `lease_s` is after how many seconds without a
sign of life another process takes over. With `alerts`, rules of alerts, it takes those
too, at a port that it writes into its folder.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))
from triagebook.bot.slack import face as faces
from triagebook.bot.slack.inbound.http import Endpoint
from triagebook.bot.slack.settings import credentials, slack_settings
from triagebook.tools.alerts.answer import Show
from triagebook.tools.alerts.face import AlertsFace
from triagebook.tools.alerts.load import load_rules
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.stored_diagnosis import Asker, LocalAsker, OnFirstVerdict, StoredDiagnosis
from triagebook.tools.inventory.inventory import Inventory, InventoryHost
from triagebook.tools.inventory.names import Names
from triagebook.tools.server.options import Hosts, ServeOptions
from triagebook.tools.server.run import Parts, RunningServer, serve
from triagebook.tools.server.web import listen

from tests.system.fixes.server_main import Machines
from tests.system.fixes.world import FileExecutor, UnitRenderer
from tests.system.kill_point import KillPoint
from tests.system.slack.world import HOSTS, SlackHosts


@dataclass
class SteppedAsker:
    """Asks hosts, and says when one has answered."""

    asker: Asker
    step: Callable[[str], None]

    def ask(self, question: Question, first: OnFirstVerdict) -> StoredDiagnosis:
        found = self.asker.ask(question, first)
        self.step("host.answered")
        return found


def main() -> None:
    asked = json.loads(sys.argv[1])
    data, effects = Path(asked["data"]), Path(asked["effects"])

    step = KillPoint(effects.parent / "die")
    lease = timedelta(seconds=asked["lease_s"])
    options = ServeOptions(
        data=data,
        socket=Path(asked["socket"]),
        socket_mode=0o600,
        policy=Path(asked["policy"]),
        database=asked.get("database", ""),
        join=asked.get("join", False),
        lease_s=asked["lease_s"],
        sweep_s=0.3,
        patience_s=5,
    )
    executor = FileExecutor(effects, step)
    machines = Machines()
    names = Names(Inventory({name: InventoryHost(name) for name in HOSTS}, {}))
    parts = Parts(machines, UnitRenderer(machines), lambda _keys: executor, default_runbook=lambda: "forks", step=step, names=names)
    port = 0
    hosts = SlackHosts()
    runbooks = tuple(dict.fromkeys(entry.id for entry in hosts.catalog.entries()))
    shows: list[Show] = []
    settings = slack_settings({"approvals": asked["approvals"]}, runbooks)

    @contextmanager
    def face(place: RunningServer) -> Iterator[None]:
        nonlocal port
        found = credentials(over_http="http" in asked)
        made = faces.build(place, Hosts(hosts, names, lambda: runbooks[0]), settings, found)  # type: ignore[arg-type]
        made.inbox.worker.lease, made.inbox.worker.claim_s = lease, 0.5
        made.sender.lease = lease
        shows.append(made.alerts.show)
        if "http" not in asked:
            with faces.run(made, found):
                yield
            return
        endpoint = Endpoint()
        with faces.run(made, endpoint=endpoint), listen("127.0.0.1:0", endpoint, "slack-http") as port:
            while not made.context.ourselves.team:
                time.sleep(0.02)
            yield

    @contextmanager
    def alerts_face(place: RunningServer) -> Iterator[None]:
        rules = load_rules(Path(asked["alerts"]), runbooks, HOSTS)
        asker = SteppedAsker(LocalAsker(hosts), step)  # type: ignore[arg-type]
        served = Hosts(hosts, names, lambda: runbooks[0])  # type: ignore[arg-type]
        made = AlertsFace("127.0.0.1:0", rules, served, shows, asker=asker, lease=lease)
        with made(place) as found:
            (effects.parent / "alerts_port").write_text(str(found))
            yield

    def ready() -> None:
        sys.stdout.write(f"ready {port}\n")
        sys.stdout.flush()

    serve(options, parts, ready, [face, alerts_face] if "alerts" in asked else [face])


if __name__ == "__main__":
    main()
