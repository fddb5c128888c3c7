"""Why not, to the one who asked: what was said, its reason code, and what that person can do about it."""

from collections.abc import Mapping

from triagebook.bot.slack.cards import mrkdwn
from triagebook.bot.slack.cards.blocks import context, prose, run
from triagebook.bot.slack.cards.limits import Card, card
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError

MAPPED = "Ask whoever keeps the policy file to list your Slack account under a person."
ELSE = "Look at what was said above; if it is not clear, show this message to whoever keeps the triagebook server."
WHAT_TO_DO: Mapping[str, str] = {
    "self_approval": "Another person must decide. In an emergency: a break-glass rule of the policy (fix approve --help).",
    "no_break_glass": "Another person must decide: no emergency rule of the policy names you here.",
    "break_glass_not_needed": "Approve it as it is: it is another person's plan.",
    "not_an_approver": "Ask somebody of the groups that the card names under Approvals.",
    "empty_approver_set": "Ask whoever keeps the policy file to name enough approvers besides the requester.",
    "no_approval_rule": "Ask whoever keeps the policy file for approval terms that cover this host, runbook and risk.",
    "unmapped_account": MAPPED,
    "external_user": "Accounts of other organisations and guests may not decide here. Ask a member of this workspace.",
    "unchecked_group": "Try again in a minute. If it stays: `triagebook slack check` on the server says what it may not see.",
    "unchecked_account": "Try again in a minute: Slack did not answer when it was asked who you are.",
    "service_cannot_approve": "A person decides, from an account of their own.",
    "mcp_cannot_approve": "Decide in Slack or at the terminal.",
    "no_policy": "Start the server with a policy file (triagebook serve --policy FILE).",
    "no_rule": "Ask whoever keeps the policy file; `triagebook policy check` explains the decision.",
    "denied_by_rule": "Ask whoever keeps the policy file; `triagebook policy check` explains the decision.",
    "already_decided": "The card shows what was decided. A new plan can be proposed.",
    "already_voted": "Nothing: your vote is counted. The card shows who else is needed.",
    "already_used": "An approval is for one execution. Diagnose the host again and propose a new fix.",
    "approval_void": "The policy, the group of approvers or the plan changed since. Propose the fix anew.",
    "expired": "Propose the fix anew; the card says how long a plan waits.",
    "other_plan": "The plan is not the one you saw. Open Details and look again before you decide.",
    "plan_changed": "Do not approve. The stored plan was tampered with or damaged: check the audit log (triagebook audit verify).",
    "not_approved": "It needs its approvals first; the card shows how many are missing.",
    "not_the_requester": "Only who asked for it withdraws it. An approver can deny it.",
    "not_in_place": "Only a change that is in place can be taken back or made permanent. Diagnose the host again.",
    "not_live": "It holds from the next start on already, or it was taken back.",
    "no_undo": "The card said so before it was approved. Plan a new change by hand.",
    "host_locked": "Wait until the other fix on this host has ended; App Home shows which it is.",
    "lock_in_use": "Wait: somebody is on that host now, and the lock ends with the work or its lease.",
    "stale_facts": "Re-plan: diagnose the host again and propose a fix for what it is now.",
    "unknown_facts": "Diagnose the host again and look at what could not be judged.",
    "rebooted": "Diagnose the host again: a reboot may have removed the cause.",
    "other_host": "This name now leads to another machine. Check the inventory before anything else.",
    "other_host_key": "The host's key is another one. Find out why before anything else.",
    "other_target": "The helper on that host was installed anew. Propose the fix again.",
    "other_runbook": "The runbook changed since. Diagnose the host again.",
    "cannot_apply": "Run the commands by hand as root on that host, or ask whoever keeps the server to let it change hosts.",
    "replay": "This is a recorded case: there is no host to change.",
    "too_many_open": "Withdraw one of your open plans first; App Home lists them.",
    "daily_quota": "Wait a day, or propose it yourself.",
    "rate_limit": "Wait a minute, then ask again.",
    "busy": "Wait as long as it says, then ask again.",
    "host_name": "Write the name of the host as the inventory has it, without a user or an address.",
    "inventory": "Write the name of the host as the inventory has it; the field of the form completes it.",
    "no_inventory": "Ask whoever keeps the server for an inventory; only its names may be asked about here.",
    "not_found": "It does not exist, or you may not see it.",
    "button_expired": "Ask anew with the command: the new card has new buttons.",
    "unknown_button": "Use the newest card of that host or fix; if there is none, ask anew with the command.",
    "no_form": "Press the button again: Slack opens a form only within three seconds.",
    "internal": "Ask again. If it fails again, show this message to whoever keeps the triagebook server.",
    "usage": "`help` shows what you may write.",
    "plan": "Diagnose the host again and choose from what is offered now.",
}


def refusal(error: TriagebookError, asked: str = "") -> Card:
    """An expected failure as an ephemeral message. `asked` says what was refused, such as `approve F-1`."""
    return refusal_of(str(error), error.reason, asked, is_audited=isinstance(error, RefusedError))


def refusal_of(says: str, reason: str, asked: str = "", *, is_audited: bool = True) -> Card:
    """The same of its parts, for a refusal that the face itself makes."""
    advice = what_to_do(reason)
    what = f"Not done: {asked}" if asked else "Not done"
    blocks = [
        prose(run(f"⛔ {mrkdwn.plain(what, 200)}\n", bold=True), run(mrkdwn.plain(says, 1200))),
        prose(run("What to do: ", bold=True), run(advice)),
        context(f"reason {mrkdwn.code(reason)} · only you see this{' · it is in the audit log' if is_audited else ''}"),
    ]
    return card(blocks, mrkdwn.fallback([f"{what}. {says}", f"What to do: {advice}", f"Reason: {reason}"]))


def what_to_do(reason: str) -> str:
    """Advice for a reason code; never empty."""
    return WHAT_TO_DO.get(reason, ELSE)
