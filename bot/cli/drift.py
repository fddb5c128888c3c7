"""Run `triagebook host drift`: read each host once and compare their limits."""

import sys

from triagebook.bot.render.drift import render_drift
from triagebook.bot.render.style import style_of
from triagebook.bot.render.terminal import json_line
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.tools.diagnosis import setup
from triagebook.tools.diagnosis.drift import ASKED, HostLimits, compare, limits_of
from triagebook.tools.diagnosis.fleet import fleet
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.read_facts import facts_by_kind


def run(hosts: tuple[str, ...], *, as_json: bool, runbook: str, transport: str, ssh_config: str) -> int:
    """Read the hosts, print the comparison and return the exit status."""
    settings = setup.settings()
    targets = setup.targets(settings, hosts, ssh_config)
    service = setup.service(settings, transport=transport, ssh_config=ssh_config)
    name = runbook or settings.default_runbook
    found: list[HostLimits] = []
    missing: list[str] = []
    for outcome in fleet(service, name).ask(Question(target, name, samples=1, extra_lookups=ASKED) for target in targets):
        target = outcome.question.target.text
        if outcome.answer is None or not outcome.answer.history:
            missing.append(target)
            why = outcome.error or (outcome.answer.diagnosis.headline if outcome.answer else "not asked")
            sys.stderr.write(f"triagebook: {target}: {why}\n")
            continue
        found.append(limits_of(target, {**facts_by_kind(service, outcome.answer), **outcome.answer.extra_facts}))
    order = {target.text: number for number, target in enumerate(targets)}
    rows = compare(sorted(found, key=lambda limits: order[limits.host]))
    if as_json:
        for row in rows:
            sys.stdout.write(json_line({"schema": "triagebook/drift/v1", "hosts": len(found), **to_plain(row)}))
    elif found:
        sys.stdout.write(render_drift(rows, len(found), style_of(sys.stdout)))
    return 4 if missing else 6 if any(row.outliers for row in rows) else 0
