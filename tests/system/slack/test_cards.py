"""Whatever was found, Slack accepts what it is sent: every case, a hundred made diagnoses, their fixes, the fleet, App Home."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from triagebook.bot.slack.cards import diagnosis, limits, names, refusal, views
from triagebook.bot.slack.cards import help as helping
from triagebook.bot.slack.cards.wording import Origin
from triagebook.runbooks.engine.errors import RefusedError
from triagebook.runbooks.engine.routes import TextRoute
from triagebook.runbooks.engine.triage import RunbookDiagnosis, join

from tests.command import ROOT
from tests.quick import quick_share
from tests.system.slack import judges, screenshots, surfaces
from tests.system.slack.blockkit_html import page
from tests.system.slack.samples import CASES, made, recorded

SEEDS = range(100)


@pytest.mark.skipif(judges.NO_SCHEMA is not None, reason=f"{judges.NO_SCHEMA}: cards are held against the other two judges only")
def test_the_judges_object_where_slack_would() -> None:
    token = {"type": "button", "action_id": "a", "text": {"type": "plain_text", "text": "Go"}, "value": "v"}

    def said(judge: Callable[[dict[str, Any]], Iterable[str]], *blocks: dict[str, Any]) -> bool:
        return bool(list(judge({"text": "t", "blocks": list(blocks)})))

    for wrong in (
        {"type": "sektion", "text": {"type": "mrkdwn", "text": "x"}},
        {"type": "section", "text": {"type": "mrkdwn", "text": "x"}, "color": "red"},
        {"type": "actions", "elements": [{**token, "style": "purple"}]},
        {"type": "header", "text": {"type": "mrkdwn", "text": "x"}},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "text"}]}]},
    ):
        assert said(judges.by_types, wrong)
    for wrong in (
        {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}},
        {"type": "actions", "elements": [token] * 26},
    ):
        assert said(judges.by_sdk, wrong)
        assert said(judges.limits.problems, wrong)
    assert not said(judges.objections, {"type": "actions", "elements": [token]})
    assert list(judges.by_types({"type": "modal", "blocks": []})) != []


@pytest.mark.parametrize("case", quick_share(CASES))
def test_every_recorded_case_gives_payloads_that_slack_accepts(case: str) -> None:
    found = recorded(case)
    for name, payload in (*surfaces.of_diagnosis(found), *surfaces.of_fixes(found)):
        assert judges.objections(payload) == [], name


@pytest.mark.parametrize("seed", quick_share(SEEDS))
def test_hostile_names_and_ten_thousand_cgroups_give_payloads_that_slack_accepts(seed: int) -> None:
    found = made(seed)
    for name, payload in (*surfaces.of_diagnosis(found), *surfaces.of_fixes(found)):
        assert judges.objections(payload) == [], name
        assert limits.size(payload) < 13_000, name


def test_fleets_and_app_home_are_accepted() -> None:
    for name, payload in surfaces.of_many():
        assert judges.objections(payload) == [], name


def test_small_surfaces_are_accepted() -> None:
    asked = surfaces.ASKED
    books = [("one", "Cannot allocate memory"), ("two", "A filesystem has no space left")]
    payloads = [
        diagnosis.progress_card("host01", "one@1.0.0", asked).payload(),
        diagnosis.failure_card("host01", "no such host", "inventory", asked, surfaces.TOKENS).payload(),
        refusal.refusal(RefusedError("F-1: ann asked for it: always another person decides", reason="self_approval")).payload(),
        helping.help_card(["diagnose", "propose"], "/one", books).payload(),
        helping.help_card([], "/one", books).payload(),
        views.progress_modal(names.PROPOSE_VIEW, "Propose a fix"),
        views.refusal_modal(names.PROPOSE_VIEW, "Propose a fix", "no rule allows it", "Ask."),
        views.diagnose(books),
        views.diagnose(books, "tok", "host01", "fork: retry"),
    ]
    assert [judges.objections(payload) for payload in payloads] == [[]] * len(payloads)


def test_the_pictures_of_cards_show_the_cards_of_today() -> None:
    """Each holds the digest of the page that it was drawn from, so that no browser is needed to tell."""
    made = screenshots.pictures()
    drawn = {file.stem: screenshots.drawn_from(file) for file in (ROOT / "docs" / "images").glob("slack-*.png")}
    assert len(drawn) == 4
    assert drawn == {name: screenshots.digest(made[name]) for name in drawn}, "`make pictures` draws them anew (it needs chromium)"
    assert "Right" in page(made["slack-diagnosis"])


def test_what_other_runbooks_found_stands_below_on_the_same_card() -> None:
    """One look, one card: the first sentence is that of the whole answer, and any runbook's fix can be proposed from it."""
    first = recorded("unit-tasksmax-now")
    other = replace(
        first, id="another", runbook=replace(first.runbook, id="other"), status="warning", headline="The other is near."
    )
    told = [RunbookDiagnosis(first, "installed", TextRoute()), RunbookDiagnosis(other, "installed", TextRoute())]
    triage = join("t", "", told, 5)
    card = diagnosis.verdict(triage, Origin("U1", "2026-01-02T03:04:05Z"), {})
    said = json.dumps(card.payload(), ensure_ascii=False)
    assert "Other runbooks" in said
    assert "other WARNING: The other is near." in said
