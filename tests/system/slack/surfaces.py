"""Every surface that a diagnosis and its fixes have, by name: what Slack would be sent."""

from collections.abc import Iterator
from typing import Any

from triagebook.bot.render.fleet import row_of
from triagebook.bot.slack.cards import approval, detail, diagnosis, fleet, home, names, propose, views
from triagebook.bot.slack.cards.wording import Origin
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.plan import Rendering
from triagebook.tools.fixes.audit_log import AuditProblem, AuditReport
from triagebook.tools.fixes.views import FixView, LockView
from triagebook.tools.store.fix_states import STATES
from triagebook.tools.times import rfc3339

from tests.system.slack.samples import HOSTILE, NOW, all_made, fix_of

ASKED = Origin("U0ANN", "2026-11-23T14:00:00Z")
ROOT = (names.PROPOSE, names.RERUN, names.EVIDENCE, names.CLOSE)
JUDGE = (names.RIGHT, names.WRONG)
FIX = (names.APPROVE, names.DENY, names.DETAILS, names.APPLY, names.WITHDRAW, names.REVERT, names.PERSIST, names.REPLAN)
TOKENS = {name: f"tok_{number:02}_9Zk3vQ" for number, name in enumerate((*ROOT, *JUDGE, *FIX))}
Surface = tuple[str, dict[str, Any]]


def of_diagnosis(found: Diagnosis) -> Iterator[Surface]:
    """The root card in its forms, its thread, and the form of each offer."""
    yield "verdict", diagnosis.verdict(found, ASKED, TOKENS).payload()
    yield "pending", diagnosis.verdict(found, ASKED, {}, "a second sample is taken in 2 s").payload()
    yield "closed", diagnosis.short_card(found, ASKED, "U0BOB", TOKENS).payload()
    yield "evidence", detail.evidence(found).payload()
    for number, card in enumerate(detail.detail(found)):
        yield f"thread {number}", card.payload()
    for number, offer in enumerate(found.remediations):
        draft = propose.Draft(number, {}, "why")
        yield f"form {number}", propose.form(found, "tok_form", draft)
        preview = propose.Preview(Rendering((), offer.commands, offer.undo_commands, {}))
        yield f"preview {number}", propose.form(found, "tok_form", draft, preview)
        yield f"problem {number}", propose.form(found, "tok_form", draft, propose.Preview(problem="limit: 5 is out of 25 to 64"))


def of_fixes(found: Diagnosis) -> Iterator[Surface]:
    """Each offer's fix in each state, its details, and the forms about it."""
    for number in range(len(found.remediations)):
        for state in STATES:
            fix = fix_of(found, number, state, outcome="" if state == "proposed" else f"said {HOSTILE[number % len(HOSTILE)]}")
            if fix is None or fix.plan is None:
                continue
            mentions = {"bob": "U0BOB"}
            yield f"fix {number} {state}", approval.approval(fix, TOKENS, mentions).payload()
            if state == "proposed":
                yield f"details {number}", views.detail_modal("Details", approval.details(fix, TOKENS, mentions))
                yield f"deny {number}", views.deny(fix.plan.host, approval.change_line(fix.plan), "tok_deny")
                yield f"persist {number}", views.persist(fix.plan.host, approval.change_line(fix.plan), "tok_persist")
                yield f"revert {number}", views.revert(fix.plan.host, approval.change_line(fix.plan), "tok_revert")


def of_many(count: int = 100) -> Iterator[Surface]:
    """A fleet's card, its thread, and App Home with more than it can hold."""
    found = list(all_made(count))
    rows = [row_of(item) for item in found] * 3
    yield "fleet", fleet.fleet(rows, ASKED, running=3, repeats=40).payload()
    fixes = [fix for item in found if item.remediations and (fix := fix_of(item)) is not None]
    yield "home", app_home(fixes, found)
    yield "home of nobody", home.home([], [], [], home.Health())


def app_home(fixes: list[FixView], found: list[Diagnosis]) -> dict[str, Any]:
    """App Home."""
    runs = [
        home.RecentRun(item.host.name, item.status, item.headline, item.started_at, "https://x.slack.com/archives/C1/p1")
        for item in found
    ]
    locks = [LockView(f"host{number}", "F-1", HOSTILE[number], "ann", rfc3339(NOW)) for number in range(20)]
    report = AuditReport(False, 10, "ab" * 32, 3, (AuditProblem("cut", 7, HOSTILE[0]),), "", "")
    return home.home([home.PendingFix(fix, TOKENS) for fix in fixes], runs, locks, home.Health(report, rfc3339(NOW)))
