"""What people write to the app itself: a host and its error text, or one of the words that Slack suggests."""

from typing import Any

from triagebook.bot.slack.flows.direct import PROMPTS, word_of
from triagebook.bot.slack.manifest import AGENT_EVENTS, AGENT_SCOPES, EVENTS, SCOPES, manifest

from .paths import fix_of, proposed
from .world import SlackWorld


def posted(world: SlackWorld, words: str) -> list[dict[str, Any]]:
    """The messages with these words, each with the thread that it was written into; none may be for one pair of eyes only."""
    world.idle()
    assert not [call for call in world.gate.of("chat.postEphemeral") if words in str(call.values)]
    return [dict(call.values) for call in world.gate.of("chat.postMessage") if words in call.values["text"]]


def test_a_host_and_its_error_text_are_diagnosed_in_the_thread_of_the_message(slacked: SlackWorld) -> None:
    world = slacked
    assert world.driver.direct("ann", "web-05 bash: fork: retry: Resource temporarily unavailable").status == 200
    (card,) = posted(world, "web-05")[:1]
    assert card["thread_ts"]
    assert world.hosts.asked == ["web-05"]


def test_what_cannot_be_asked_is_said_there(slacked: SlackWorld) -> None:
    slacked.driver.direct("ann", "why is it slow")
    assert posted(slacked, "Not done")


def test_the_three_words_that_slack_suggests_are_answered(slacked: SlackWorld) -> None:
    world = slacked
    assert set(PROMPTS.values()) == {"help", "hosts", "waiting"}
    fix = fix_of(proposed(world))
    for word, says in (
        ("help", "What you may do here"),
        ("Hosts?", "You may ask about"),
        ("waiting", f"wait for you. Decide in the Home tab above.\n{fix}"),
    ):
        world.driver.direct("bob", word)
        assert posted(world, says), word
    world.driver.direct("ann", "waiting")
    assert posted(world, "Nothing waits for your decision.")


def test_edits_and_messages_of_programs_and_channels_are_not_answered(slacked: SlackWorld) -> None:
    world = slacked
    for other in ({"subtype": "message_changed"}, {"bot_id": "B0BOT"}, {"channel_type": "channel"}):
        assert world.driver.direct("ann", "web-06 fork: retry", **other).status == 404
    world.idle()
    assert world.hosts.asked == []


def test_the_manifest_asks_for_it_only_when_told_to() -> None:
    plain, agent = manifest(["/x"]), manifest(["/x"], has_agent=True)
    assert "agent_view" not in plain["features"]
    assert plain["settings"]["event_subscriptions"]["bot_events"] == list(EVENTS)
    view = agent["features"]["agent_view"]
    assert len(view["agent_description"]) <= 300
    assert len(view["suggested_prompts"]) == 3
    assert agent["features"]["app_home"]["messages_tab_read_only_enabled"] is False
    assert agent["settings"]["event_subscriptions"]["bot_events"] == [*EVENTS, *AGENT_EVENTS]
    assert set(agent["oauth_config"]["scopes"]["bot"]) == {*SCOPES, *AGENT_SCOPES}


def test_a_word_is_one_only_by_itself() -> None:
    assert [word_of(text) for text in ("hosts", " Waiting? ", "hosts web01", "web01 waiting")] == ["hosts", "waiting", "", ""]
