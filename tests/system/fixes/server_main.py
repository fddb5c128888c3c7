"""A server process for tests: `triagebook serve`'s own code with a recorded diagnosis and an executor that writes files.

Configuration is a JSON object as the only argument. With `pipe`, each step's name is written to it and the process
waits there until a byte comes back, so that a test can kill it at exactly that step.
"""

import json
import os
import sys
import zlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.runbooks.engine.plan import Value
from triagebook.tools.server.options import ServeOptions
from triagebook.tools.server.run import Parts, serve
from triagebook.tools.store import database

from tests.system.fixes import samples
from tests.system.fixes.world import FileExecutor, Recorded, UnitRenderer


class Machines(Recorded):
    """Every host a machine of its own."""

    def diagnose(self, host: str, runbook: str, inputs: Mapping[str, Value]) -> Diagnosis:
        found = super().diagnose(host, runbook, inputs)
        name = f"20261123T140000-{zlib.crc32(host.encode()):08x}"
        return replace(found, id=name, host=replace(found.host, machine_id=f"machine-of-{host}"))


def main() -> int:
    asked = json.loads(sys.argv[1])
    shift = timedelta(seconds=asked.get("clock_ahead_s", 0))

    def step(name: str) -> None:
        if "pipe" in asked and name in asked["steps"]:
            os.write(asked["pipe"][1], name.encode() + b"\n")
            os.read(asked["pipe"][0], 1)

    options = ServeOptions(
        data=Path(asked["data"]),
        socket=Path(asked["socket"]),
        socket_mode=asked.get("mode", 0o666),
        policy=Path(asked["policy"]) if asked.get("policy") else None,
        database=asked.get("database", ""),
        lease_s=asked.get("lease_s", 60),
        sweep_s=asked.get("sweep_s", 3600),
        patience_s=asked.get("patience_s", 5),
        join=asked.get("join", False),
    )
    database.IDLE_S = asked.get("idle_s", database.IDLE_S)
    executor = FileExecutor(Path(asked["effects"]), step) if asked.get("effects") else None
    machines = Machines()
    parts = Parts(
        diagnoser=machines,
        renderer=UnitRenderer(machines),
        default_runbook=lambda: "forks",
        executor=(lambda _keys: executor) if executor else None,
        clock=lambda: datetime.now(UTC) + shift,
        step=step,
        names=samples.NAMES,
    )

    def ready() -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    try:
        serve(options, parts, ready)
    except TriagebookError as error:
        sys.stdout.write(f"refused {error.reason}: {error}\n")
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
