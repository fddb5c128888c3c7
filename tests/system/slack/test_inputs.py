"""What persons write, and what Slack sends, read as what it is."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triagebook.bot.slack.inbound.command import DiagnosisWish, hosts_in, read_command, read_message
from triagebook.bot.slack.inbound.delivery import Delivery, load, of_click, of_command, of_event, of_shortcut, of_view
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.routes import TextRoute
from triagebook.runbooks.engine.triage import RunbookDiagnosis, join
from triagebook.tools.diagnosis import stored_diagnosis

from tests.system.fixes import samples

HOSTS = ("web-01", "db01.example")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web-01", DiagnosisWish("web-01")),
        (
            "  web-01   unit=app.service user=app pid=12 ",
            DiagnosisWish("web-01", "", {"unit": "app.service", "user": "app", "pid": "12"}),
        ),
        ("web-01 forks", DiagnosisWish("web-01", "forks")),
        (
            'web-01 symptom="fork: retry"',
            DiagnosisWish("web-01", "", {"symptom": "fork: retry"}),
        ),
        ("web-01 symptom=“cannot fork”", DiagnosisWish("web-01", "", {"symptom": "cannot fork"})),
        ("<http://db01.example|db01.example>", DiagnosisWish("db01.example")),
        ("web-01 symptom=it's", DiagnosisWish("web-01", "", {"symptom": "it's"})),
        ("help", DiagnosisWish(is_help=True)),
        ("", DiagnosisWish()),
    ],
)
def test_a_command_is_read_as_it_was_meant(text: str, expected: DiagnosisWish) -> None:
    assert read_command(text) == expected


def test_a_command_that_means_a_runbook_takes_one_host() -> None:
    assert read_command("web-01", "forks") == DiagnosisWish("web-01", "forks")
    with pytest.raises(UsageError, match="one host at a time"):
        read_command("web-01 web-02", "forks")
    with pytest.raises(UsageError, match="did you mean 'unit'"):
        read_command("web-01 unti=x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<@U1> web-01", DiagnosisWish("web-01")),
        ("<@U1> ALERT on web-01: bash: fork: retry", DiagnosisWish("web-01", "", {"symptom": "ALERT on : bash: fork: retry"})),
        ("<@U1> web-01 forks unit=x.service", DiagnosisWish("web-01", "forks", {"unit": "x.service"})),
        ("<@U1> <http://db01.example|db01.example>", DiagnosisWish("db01.example")),
        ("<@U1> nosuch", DiagnosisWish("nosuch")),
        ("<@U1> help", DiagnosisWish(is_help=True)),
        ("<@U1>", DiagnosisWish()),
    ],
)
def test_a_mention_is_a_host_and_a_symptom(text: str, expected: DiagnosisWish) -> None:
    assert read_message(text, HOSTS, ["forks"]) == expected


def test_hosts_are_found_as_whole_names_only() -> None:
    assert hosts_in("xweb-01 web-01x web-012 web-01.", HOSTS) == ("web-01",)


@given(st.text(max_size=200))
def test_nothing_that_is_written_breaks_the_reading(text: str) -> None:
    read_message(text, HOSTS)
    with contextlib.suppress(UsageError):
        read_command(text)


BODY = {
    "team": {"id": "T1"},
    "user": {"id": "U1", "team_id": "T2"},
    "trigger_id": "t",
    "view": {"id": "V", "hash": "h", "private_metadata": "tok", "callback_id": "c"},
    "actions": [{"action_id": "a", "value": "tok"}],
}


@pytest.mark.parametrize("made", [of_click(BODY), of_view(BODY), of_shortcut({**BODY, "message": {"ts": "1", "text": "x"}})])
def test_who_did_it_is_the_user_of_the_users_own_team(made: Delivery) -> None:
    assert str(made.actor.account) == "slack:T2/U1"
    assert made.team == "T1"
    assert load(made.dump()) == made


def test_a_delivery_has_the_same_key_each_time_it_is_sent_and_another_for_another() -> None:
    first, other = {"trigger_id": "1", "command": "/x"}, {"trigger_id": "2", "command": "/x"}
    assert of_command(first).key == of_command({**first, "retry": "1"}).key != of_command(other).key
    event = {"event_id": "Ev1", "event": {}}
    assert of_event(event, "mention").key == of_event({**event, "event_time": 2}, "mention").key
    assert of_command({"text": "a"}).key != of_command({"text": "b"}).key
    assert of_click(BODY).key != of_view(BODY).key


def test_secrets_in_what_was_written_are_not_kept() -> None:
    made = of_command({"text": "web-01 symptom='password=hunter2 failed'", "trigger_id": "1"})
    assert "hunter2" not in made.dump()
    view = {**BODY["view"], "state": {"values": {"b": {"a": {"value": "token=xoxb-123456789012"}}}}}  # type: ignore[dict-item]
    assert "xoxb-123456789012" not in of_view({**BODY, "view": view}).dump()


def test_a_diagnosis_is_read_back_as_it_was_but_for_secrets() -> None:
    diagnosis = samples.diagnosis()
    assert stored_diagnosis.load(stored_diagnosis.dump(diagnosis)) == diagnosis

    assert "hunter2" not in stored_diagnosis.dump(replace(diagnosis, headline="it has password=hunter2 in its line"))


def test_words_behind_the_host_are_the_error_text_where_they_name_no_runbook() -> None:
    books = ("enomem", "oom")
    assert read_command("web-01 oom", "", books) == DiagnosisWish("web-01", "oom")
    said = read_command("web-01 fork: Cannot allocate memory", "", books)
    assert said == DiagnosisWish("web-01", "", {"symptom": "fork: Cannot allocate memory"})
    with pytest.raises(UsageError, match=r"no runbook 'enomen' .did you mean 'enomem'"):
        read_command("web-01 enomen", "", books)


def test_an_answer_of_several_runbooks_is_kept_whole() -> None:
    first = samples.diagnosis()
    other = replace(first, id="another", runbook=replace(first.runbook, id="other"), status="healthy", headline="password=hunter2")
    told = [RunbookDiagnosis(first, "installed", TextRoute()), RunbookDiagnosis(other, "installed", TextRoute())]
    triage = join("t", "", told, 5)
    kept = stored_diagnosis.redact_diagnosis(triage)
    assert (kept.diagnosis, kept.found.id) == (first, "t")
    assert stored_diagnosis.read_stored(kept.text) == kept
    assert "hunter2" not in kept.text
