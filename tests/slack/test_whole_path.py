"""Command, card, proposal, approval by another person, change, revert: over HTTP, and all of it again over Socket Mode."""

from triagebook.bot.slack.cards import names

from .driver import buttons
from .world import SlackWorld, until


def proposed(world: SlackWorld, host: str = "web-01", user: str = "ann") -> dict[str, object]:
    """From the command to the approval card."""
    assert world.driver.command(user, host).status == 200
    card = world.card("incidents", f"CAUSE FOUND · {host}")
    assert world.driver.click(user, card, names.PROPOSE).status == 200
    view = until(lambda: next((view for view in reversed(world.gate.views()) if view.get("submit")), None), "the form")
    values = {
        names.OFFER: {names.OFFER: {"selected_option": {"value": "0"}}},
        f"{names.PARAM}.0.limit": {names.PARAM: {"value": "300"}},
        names.REASON: {names.REASON: {"value": "pages since 13:50"}},
    }
    assert world.driver.submit(user, view, values).body == ""
    return world.card("approvals", f"APPROVAL NEEDED: {host}")


def test_from_the_command_to_the_validated_change_and_back(either: SlackWorld) -> None:
    world = either
    card = proposed(world)
    assert buttons(card) == [names.APPROVE, names.DENY, names.DETAILS, names.WITHDRAW]
    assert world.driver.click("bob", card, names.APPROVE).status == 200
    done = world.card("approvals", "DONE AND VALIDATED: web-01")
    assert done["ts"] == card["ts"]
    (fix_id,) = [path.name.partition(".")[0] for path in world.trust.executor.directory.iterdir()]
    assert world.trust.state(fix_id) == "validated"
    world.idle()
    copies = [item for item in world.thread(world.card("incidents", "CAUSE FOUND · web-01")) if fix_id in str(item)]
    assert [buttons(copy) for copy in copies] == [buttons(done)] == [[names.REVERT, names.DETAILS]]
