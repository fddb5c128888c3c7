"""Uses the toy face inside the copy of the product: from the diagnosis to the applied fix. Prints what it was answered."""

import json
import sys
from pathlib import Path

from triagebook.bot.toy.face import ToyFace  # type: ignore[import-not-found] # of the copy
from triagebook.tools.faces.permission import PolicyPermission
from triagebook.tools.policy.identity import parse_account
from triagebook.tools.server.protocol import Members
from triagebook.tools.server.requests import answers

from tests.system.fixes import policies, samples, world

POLICY = policies.TEXT
for name in ("ann", "bob", "cid"):
    POLICY = POLICY.replace(f"{{os: {name}}}", f"{{os: {name}}}, {{toy: team/{name}}}")


def main() -> None:
    here = world.build("sqlite:///toy.db", Path(), policy=POLICY)
    permission = PolicyPermission(here.trust)
    face, robot = (
        ToyFace(here.service, permission, lambda question: samples.diagnosis(question.target.text), channel)
        for channel in ("toy", "toybot")
    )
    said = {
        "account": str(parse_account("toy:team/ann")),
        "diagnose": face.answer("team", "ann", "diagnose web-01"),
        "stranger": face.answer("team", "eve", "propose web-01 raise_tasks_max"),
        "proposed": json.loads(face.answer("team", "ann", "propose web-01 raise_tasks_max")),
    }
    fix = said["proposed"]["id"]
    said["own"] = face.answer("team", "ann", f"approve {fix}")
    said["robot"] = robot.answer("team", "bob", f"approve {fix}")
    said["approved"] = json.loads(face.answer("team", "bob", f"approve {fix}"))
    said["applied"] = json.loads(face.answer("team", "cid", f"apply {fix}"))
    said["audit"] = [[event.action, event.outcome, event.account, event.channel] for event in here.events() if event.account]
    request = Members({"do": "locks", "channel": "toy"})
    said["socket"] = next(iter(answers(here.service, lambda _channel: policies.actor("ann"), request)))
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
