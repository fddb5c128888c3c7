"""Words about answers drown no log and cost nobody's server: who may see an answer may say something of it, and no more."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.fixes import feedback
from triagebook.tools.fixes.feedback import RIGHT, WRONG
from triagebook.tools.store.migrate import migrate

from tests.system.fixes.policies import actor
from tests.system.fixes.test_diagnoses import asked
from tests.system.fixes.world import World


def _words(world: World) -> int:
    return sum(event.action == "feedback" and event.outcome == "ok" for event in world.events())


def test_an_account_says_so_many_words_a_day_and_others_still_may(attacked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback, "MOST_A_DAY", 6)
    answers = [asked(attacked, "ann", host).id for host in ("web-01", "web-02")]
    for number in range(6):
        attacked.service.give_feedback(actor("bob"), answers[number % 2], WRONG, f"it was {number}")
    for number in range(3):
        with pytest.raises(UsageError, match="you said 6 words about answers within a day, and the most is 6"):
            attacked.service.give_feedback(actor("bob"), answers[number % 2], RIGHT)
    assert _words(attacked) == 6
    attacked.service.give_feedback(actor("cid"), answers[0], RIGHT)
    attacked.clock.pass_(hours=25)
    attacked.service.give_feedback(actor("bob"), answers[0], RIGHT)
    assert _words(attacked) == 8


FOUND = {
    "the words about all answers": "action = 'feedback'",
    "the words about a host": "action = 'feedback' AND host = 'web-01'",
    "what a person proposed": "action = 'propose' AND person = 'ann'",
    "the rows of a person": "person = 'ann'",
    "the rows of a host": "host = 'web-01'",
    "the rows of a fix": "fix = 'F-00000001'",
}


@pytest.mark.parametrize("what", FOUND)
def test_no_question_about_the_log_reads_all_of_it(what: str, tmp_path: Path) -> None:
    """Whoever reaches the socket can ask some of these: of a million rows each would cost seconds of a processor.

    PostgreSQL chooses by what is in the table; its indexes are the same.
    """
    migrate(f"sqlite:///{tmp_path / 'log.db'}")
    query = f"SELECT * FROM audit WHERE {FOUND[what]} ORDER BY idx DESC LIMIT 2000"
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert [step.startswith("SEARCH audit USING INDEX") for step in plan[:1]] == [True], plan
    if what != "the rows of a person":
        assert len(plan) == 1, f"it sorts what it found: {plan}"
