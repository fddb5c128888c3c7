"""Strangers' words in Slack's markup, and what a person typed read back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triagebook.bot.slack.cards import mrkdwn

from tests.system.slack.blockkit_html import mrkdwn as as_html
from tests.system.slack.samples import HOSTILE

FORM = re.compile(r"<[!@#]|<[A-Za-z][\w+.-]*:|\w://|mailto:", re.IGNORECASE)  # what Slack would act on
UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ud800-\udfff]")
ANYTHING = st.one_of(st.text(), st.sampled_from(HOSTILE), st.from_regex(r"<[!@#]?[a-z:/.|]{0,12}>?", fullmatch=True))


@given(ANYTHING)
def test_no_text_becomes_a_mention_a_link_or_a_change_of_direction(text: str) -> None:
    for made in (mrkdwn.plain(text), mrkdwn.escape(text), mrkdwn.code(text), mrkdwn.fallback([text])):
        assert not FORM.search(made)
        assert not UNSEEN.search(made)
    assert "\n" not in mrkdwn.plain(text)
    for made in (mrkdwn.escape(text), mrkdwn.code(text), mrkdwn.fallback([text])):
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", made)


@given(ANYTHING)
def test_a_code_span_ends_where_it_is_meant_to(text: str) -> None:
    html = as_html(f"before {mrkdwn.code(text)} after")
    assert html.startswith("before <code>")
    assert html.endswith("</code> after")
    assert html.count("<") == 2


@given(ANYTHING)
def test_what_is_exact_keeps_every_printable_character_on_one_line(text: str) -> None:
    made = mrkdwn.exact(text, 10_000)
    assert not UNSEEN.search(made)
    assert "\n" not in made
    if text.isprintable() and text.isascii():
        assert made == text


@given(ANYTHING, st.integers(1, 60))
def test_no_text_is_longer_than_its_place(text: str, limit: int) -> None:
    assert len(mrkdwn.plain(text, limit)) <= limit
    assert len(mrkdwn.fallback([text] * 50, 300)) <= 300


def test_a_link_stays_readable_and_dead() -> None:
    assert mrkdwn.plain("see https://evil.example/x?a=b") == "see https[:]//evil.example/x?a=b"
    assert mrkdwn.plain("MAILTO:ceo@evil.example") == "MAILTO[:]ceo@evil.example"
    assert mrkdwn.plain("a < b && c > d") == "a < b && c > d"
    assert mrkdwn.plain("<!channel>.service") == "‹!channel>.service"  # noqa: RUF001 - the look-alike is the point


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("<http://host01.example|host01.example> unit=a.service", "host01.example unit=a.service"),
        ("<https://host01.example>", "https://host01.example"),
        ("<mailto:root@host01.example|root@host01.example>", "root@host01.example"),
        ("<mailto:root@host01.example>", "root@host01.example"),
        ("<@U012AB3CD> <@U012AB3CD|ann>", "@U012AB3CD @U012AB3CD"),
        ("<#C024BE7LR|general> <#C024BE7LR>", "#general #C024BE7LR"),
        ("<!channel> <!here|here> <!subteam^S1|@ops>", "@channel here @ops"),
        ("a &lt; b &amp;&amp; c &gt; d", "a < b && c > d"),
        ("&amp;lt;", "&lt;"),
        ("symptom=\u201cfork: retry\u201d\u00a0user=\u2018app\u2019", "symptom=\"fork: retry\" user='app'"),
        ("host01", "host01"),
    ],
)
def test_slacks_forms_are_read_back_as_words(typed: str, words: str) -> None:
    assert mrkdwn.words(typed) == words


def test_only_a_slack_id_is_mentioned() -> None:
    assert mrkdwn.person("U012AB3CD") == "<@U012AB3CD>"
    assert mrkdwn.person("ann") == "ann"
    assert mrkdwn.person("U0<!channel>") == "U0‹!channel&gt;"  # noqa: RUF001
    assert mrkdwn.person("") == "unknown"


def test_a_date_is_told_in_the_readers_zone_with_utc_for_old_clients() -> None:
    assert mrkdwn.date("2026-11-23T14:00:00Z") == "<!date^1795442400^{date_short_pretty} {time}|2026-11-23 14:00 UTC>"
    assert mrkdwn.date("<!channel>") == "‹!channel&gt;"  # noqa: RUF001
