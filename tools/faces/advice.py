"""ADVICE says for each reason code what to do now. Every face shows the same advice, in its own form.

A face renders it: as it stands in a terminal, with its commands set in code in Slack, and to an assistant with the note
that a person has to do it. Words between backticks are commands. A test finds every reason with which the product refuses.
"""

from collections.abc import Mapping

from triagebook.runbooks.engine.dataclass import dataclass

POLICY_OWNER = "Ask the policy owner"
ADMINISTRATOR = "your triagebook administrator"


@dataclass(frozen=True)
class RefusalAdvice:
    """What to do about one reason. `tool` is the assistant's tool that helps with it."""

    text: str
    by_person: bool = False  # only a person can do it: an assistant passes it on
    tool: str = ""


def _person(text: str, tool: str = "") -> RefusalAdvice:
    return RefusalAdvice(text, by_person=True, tool=tool)


_CHOOSE = RefusalAdvice("Diagnose the host again, and choose a change and a value that its diagnosis offers now.", tool="diagnose")
_EXPLAIN = _person(f"{POLICY_OWNER}; `triagebook policy check` explains the decision.")
_DAMAGE = _person(f"Show this message to {ADMINISTRATOR}: the server stops deciding and signing until it is repaired.")
_FAULT = RefusalAdvice(f"Ask again. If it fails again, show this message to {ADMINISTRATOR}.")
_START = _person("Correct the option or the configuration that the message names, and start it again.")
_LIST = RefusalAdvice("Use the host's name as the inventory has it, without a user or an address.", tool="list_hosts")

ADVICE: Mapping[str, RefusalAdvice] = {
    # Who may decide, and who may ask.
    "self_approval": _person(
        "Another person must decide. In an emergency: a break-glass rule of the policy (`triagebook fix approve --help`)."
    ),
    "no_break_glass": _person("Another person must decide: no emergency rule of the policy names you here."),
    "break_glass_not_needed": _person("Approve it without break-glass: it is another person's plan."),
    "other_channel": _person("Decide on the channel that the message names: there an assistant cannot act for you."),
    "not_an_approver": _person("Ask somebody of the groups that the fix names under Approvals."),
    "empty_approver_set": _person(f"{POLICY_OWNER} to name enough approvers besides the requester."),
    "no_approval_rule": _person(f"{POLICY_OWNER} for approval terms that cover this host, runbook and risk."),
    "unmapped_account": _person(f"{POLICY_OWNER} to list your account under a person. Until then it may diagnose at most."),
    "external_user": _person(
        "Accounts of other organisations and guests may not decide here. Ask a member of this workspace to decide."
    ),
    "unchecked_group": _person(
        "Try again in a minute. If it happens again: `triagebook slack check` on the server says which permission is missing."
    ),
    "unchecked_account": _person("Try again in a minute: Slack did not answer when it was asked who you are."),
    "service_cannot_approve": _person("Have a person decide, from an account of their own."),
    "mcp_cannot_approve": _person("Decide in Slack or at the terminal (`triagebook fix approve`)."),
    "mcp_cannot_repair": _person("Have a person repair it from the terminal (`triagebook audit repair --columns`)."),
    "no_policy": _person(
        "Nobody may change anything until the server has a policy. Start it with one (`triagebook serve --policy FILE`)."
    ),
    "no_rule": _EXPLAIN,
    "denied_by_rule": _EXPLAIN,
    "scope_missing": _person("Sign in again and ask for the scope that the message names."),
    "unauthenticated": _person("Sign in again: the request carried no valid token."),
    # Where a fix stands.
    "not_approved": RefusalAdvice(
        "It needs the approval of another person first: in Slack, or at the terminal (`triagebook fix approve`). Look at the fix "
        "now and then; apply it once it is approved.",
        tool="fix_status",
    ),
    "already_decided": RefusalAdvice("The fix shows what was decided. A new plan can be proposed.", tool="fix_status"),
    "already_voted": _person("Nothing: your vote is counted. The fix shows who else is needed."),
    "already_used": RefusalAdvice(
        "An approval is for one execution: do not apply it again. The fix shows how it ended; for another change diagnose the "
        "host again and propose a new fix.",
        tool="fix_status",
    ),
    "approval_void": RefusalAdvice(
        "The approvals do not hold any more: the policy, the group of approvers or the plan changed since. Propose the fix anew."
    ),
    "expired": RefusalAdvice("Diagnose the host again, and propose the fix anew if the cause still holds.", tool="diagnose"),
    "other_plan": _person("The plan is not the one you saw. Look at it again before you decide."),
    "plan_changed": _person(
        "Do not approve. The stored plan was tampered with or damaged: check the audit log (`triagebook audit verify`)."
    ),
    "not_the_requester": _person("Only the person who asked for it can withdraw it. An approver can deny it."),
    "not_in_place": RefusalAdvice(
        "Only a change that is in place can be undone or made permanent. Diagnose the host again.", tool="diagnose"
    ),
    "not_live": RefusalAdvice(
        "Only a change that is live and not yet permanent can be made permanent. Look at the fix: it may be permanent "
        "already, or undone.",
        tool="fix_status",
    ),
    "no_undo": _person("The plan said before it was approved that it cannot be undone. Plan a new change by hand."),
    "host_locked": RefusalAdvice("Wait until the other fix on this host has ended; `triagebook lock list` shows which it is."),
    "lock_in_use": _person("Wait: a fix is being applied on that host, and the lock ends with the work or its lease."),
    "stale_facts": RefusalAdvice(
        "Nothing was done: the host has changed. Diagnose it again and propose a fix for what it is now.", tool="diagnose"
    ),
    "unknown_facts": RefusalAdvice(
        "Nothing was done, and the plan is still approved: apply it again once the host can be read. Diagnose it to see what could "
        "not be judged.",
        tool="diagnose",
    ),
    "setup": _person("Put right what the message names, then run `triagebook serve init --apply` again: it goes on where it was."),
    "not_begun": RefusalAdvice(
        "The host was not changed, and the plan is still approved: put right what the message names, then apply it again.",
        tool="fix_status",
    ),
    "rebooted": RefusalAdvice("Nothing was done. Diagnose the host again: the reboot may have removed the cause.", tool="diagnose"),
    "other_host": _person("This name now leads to another machine. Check the inventory before anything else."),
    "other_machine": _person("Find out why this name shows another machine. If it was reinstalled: `triagebook host bind`."),
    "same_machine": _person("Keep one of the two names in the inventory. Machines cloned from one image need keys of their own."),
    "other_host_key": _person("The host's key is another one. Find out why before anything else."),
    "other_target": RefusalAdvice("The helper on that host was installed anew. Propose the fix again."),
    "other_runbook": RefusalAdvice("The runbook changed since. Diagnose the host again.", tool="diagnose"),
    "other_fix": RefusalAdvice("Look at the fix and name the host and the remediation that are its own.", tool="fix_status"),
    "cannot_apply": _person(
        f"Run the commands by hand as root on that host, with their undo at hand, or ask {ADMINISTRATOR} to let the server "
        "change hosts. Nothing was done."
    ),
    "not_prepared": _person(
        f"Ask {ADMINISTRATOR} to prepare the host: `triagebook host check` says what is missing, `triagebook host install` "
        "installs it. Nothing was done."
    ),
    "replay": RefusalAdvice("This is a recorded case: there is no host to change. Its commands are an example."),
    "claim_lost": RefusalAdvice(
        "Nothing was signed. Look at the fix again: another server may have settled it. If it failed, propose it anew.",
        tool="fix_status",
    ),
    "answer_lost": RefusalAdvice(
        "Nobody can say yet what was done. Do not apply anything else to this host; look at the fix again later.",
        tool="fix_status",
    ),
    # How much may be asked.
    "too_many_open": _person("Withdraw one of your open plans first (`triagebook fix withdraw`)."),
    "daily_quota": _person("Wait a day, or propose it yourself: assistants may propose no more today."),
    "rate_limit": RefusalAdvice("Wait as long as the message says, then ask again."),
    "busy": RefusalAdvice("Wait as long as the message says, then ask again. Nothing was done."),
    "deadline": RefusalAdvice("Ask again. If it happens again, ask fewer hosts at once or allow more time."),
    # What was asked for.
    "host_name": _LIST,
    "inventory": _LIST,
    "group": RefusalAdvice("Use a group that the inventory has.", tool="list_hosts"),
    "no_inventory": _person(f"Ask {ADMINISTRATOR} for an inventory: only its names, or recorded cases, may be asked about here."),
    "unknown_runbook": RefusalAdvice(
        "Use a runbook that is installed; `triagebook runbook list` names them.", tool="list_runbooks"
    ),
    "unknown_case": RefusalAdvice("Use a recorded case of an installed runbook, as the message names them."),
    "check": _person("Correct the name of the check under accept_unknown, as the message has it."),
    "input": RefusalAdvice("Use the inputs that this runbook takes; `triagebook runbook show` lists them.", tool="list_runbooks"),
    "plan": RefusalAdvice(
        "Diagnose the host again and choose from what is offered now, with values inside the bounds it gives. Name the culprit "
        "where several offer the same.",
        tool="diagnose",
    ),
    "alerts": _person("Correct alerts.yaml at the line that the message names, and start the server again."),
    "alert_body": _person("Correct what the sender posts: the message names the member, docs/how-to/alerts.md the forms."),
    "sink": _person("Look whether the receiver of events answers at the address in alerts.yaml; events wait there for a day."),
    "timeout": RefusalAdvice("Ask again: the host did not answer in time. Nothing was done."),
    "unread": _person("Install the collector on that host anew (`triagebook host install HOST`), then ask again."),
    "verifying": RefusalAdvice("Wait a minute, then ask again: one verification of the audit log runs at a time."),
    "no_controller": _person("Nothing here: this host has no limit of that kind for a unit. Limit the service by other means."),
    "usage": RefusalAdvice(
        "Correct what the message names: `--help` at the terminal and `help` in a chat show what may be written."
    ),
    "not_found": RefusalAdvice("Check the id. It does not exist, or you may not see it."),
    "request": RefusalAdvice("Use the same version of triagebook for the client and the server."),
    "too_large": RefusalAdvice("Ask for less at once: the message says how much is too much."),
    "cut": RefusalAdvice("Ask again; the answer did not come whole."),
    "unknown_argument": RefusalAdvice(
        "Call it again with the arguments of its input schema only. No argument of any tool approves a fix."
    ),
    "unknown_tool": RefusalAdvice("List the tools and use one of them."),
    "button_expired": _person("Ask anew with the command: the new card has new buttons."),
    "unknown_button": _person("Use the newest card of that host or fix; if there is none, ask anew with the command."),
    "no_form": _person("Press the button again: Slack opens a form only within three seconds."),
    # What a change needs on the host.
    "not_higher": _CHOOSE,
    "no_effect": _CHOOSE,
    "out_of_bounds": _CHOOSE,
    "below_use": _CHOOSE,
    "exempt": _CHOOSE,
    "process_gone": _CHOOSE,
    "unit_not_active": _CHOOSE,
    "unit_not_loaded": _CHOOSE,
    "unknown_limit": _CHOOSE,
    "container_unit": _person("Change the limit where the container is defined, with the tools of its runtime."),
    "disk_space": _person("Free space where the message says, or choose a smaller swap file."),
    "filesystem": _person("Choose a path on a file system that the message names."),
    "zombie": RefusalAdvice("Act on the parent process that the message names: a zombie cannot be changed."),
    "order": _FAULT,
    # Runbooks, files and the server itself.
    "runbook": _person("Correct the runbook at the place that the message names; `triagebook runbook lint` checks it."),
    "rule": _person("Correct the runbook at the place that the message names; `triagebook runbook lint` checks it."),
    "locked": _person("Restore the released runbook, or give the changed one a new version."),
    "parse": RefusalAdvice("Ask again. If it happens again, another program answers in the collector's place on that host."),
    "policy": _person(
        "Correct the policy file at the place that the message names; `triagebook policy check --file FILE` checks it."
    ),
    "prepare": _person("Do what the message names on that host, then `triagebook host check`."),
    "login": RefusalAdvice("Look at how the login failed: the host could not be asked, so nothing is known of it."),
    "no_server": _person(
        "Diagnosing works without a server; fixes and the audit log need one. Start it (`triagebook serve`), or run the commands "
        "of the diagnosis by hand.",
        tool="get_diagnosis",
    ),
    "site": _person(
        "See which workers answer and since when (`triagebook site list`). If the host's site has none, show this to "
        f"{ADMINISTRATOR}."
    ),
    "credentials": _person("Name a file with a key that nobody else can read, or make a new one (`triagebook site add`)."),
    "given_up": RefusalAdvice(
        "Diagnose the host now; the server's log says why the alert could not be asked about.", tool="diagnose"
    ),
    "client_file": _person("Nothing was written. Put right what the message names, and run the command again."),
    "status": _START,
    "mcp": _START,
    "slack": _START,
    "slack-http": _START,
    "socket": _START,
    "lax_mode": _person("Take from others the right to read or change the file that the message names, and start it again."),
    "data_directory": _DAMAGE,
    "database": _DAMAGE,
    "key": _DAMAGE,
    "anchor": _DAMAGE,
    "not_in_log": _DAMAGE,
    "audit_broken": _DAMAGE,
    "audit_proof": _person(f"Verify the audit log (`triagebook audit verify`), and show its answer to {ADMINISTRATOR}."),
    "illegal_move": _DAMAGE,
    "trust": _DAMAGE,
    "internal": _FAULT,
    "fault": _FAULT,
    "error": _FAULT,
    "refused": _person(f"{POLICY_OWNER} why."),
}
UNKNOWN = _person(f"Read the message; if it is not clear, show it to {ADMINISTRATOR}.")


def advice_for(reason: str) -> RefusalAdvice:
    """Return the advice for a reason code; never empty."""
    return ADVICE.get(reason, UNKNOWN)
