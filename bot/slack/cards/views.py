"""Builds modals: their frame, the one opened at once to hold a trigger, the refusal, and the small forms."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from triagebook.bot.slack.cards import mrkdwn, names
from triagebook.bot.slack.cards.blocks import Block, field, option, plain_text, prose, run
from triagebook.bot.slack.cards.limits import OPTIONS, PAYLOAD, VIEW_BLOCKS, VIEW_TITLE, Part, fit
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.plan import MAX_REASON

ALL = "all"  # in the form: every runbook together; no id of a runbook that a form offers
FRAME = 800  # bytes of a view besides its blocks; metadata is an opaque token


@dataclass(frozen=True)
class DiagnosisRequest:
    """A diagnosis as requested in the form. Empty members were not filled in."""

    host: str
    runbook: str
    inputs: Mapping[str, str]


def modal(
    name: str, title: str, parts: Iterable[Part | Block], token: str = "", *, submit: str = "", close: str = "Cancel"
) -> dict[str, Any]:
    """Return a modal within all limits."""
    blocks, _omitted = fit(parts, VIEW_BLOCKS, PAYLOAD - FRAME - len(token), "in the thread")
    view: dict[str, Any] = {"type": "modal", "callback_id": name, "title": plain_text(title, VIEW_TITLE), "blocks": blocks}
    if submit:
        view["submit"] = plain_text(submit, VIEW_TITLE)
    view["close"] = plain_text(close, VIEW_TITLE)
    if token:
        view["private_metadata"] = token
    return view


def progress_modal(name: str, title: str, says: str = "One moment…") -> dict[str, Any]:
    """Return the modal that opens at once, before anything is looked up, and is updated later."""
    return modal(name, title, [prose(run(mrkdwn.plain(says)))])


def refusal_modal(name: str, title: str, says: str, what_to_do: str = "") -> dict[str, Any]:
    """Return the modal shown instead of a form: why it was refused, and what to do."""
    more = [prose(run("What to do: ", bold=True), run(mrkdwn.plain(what_to_do, 600)))] if what_to_do else []
    return modal(name, title, [prose(run(mrkdwn.plain(says, 1000))), *more], close="Close")


def detail_modal(title: str, blocks: Sequence[Block]) -> dict[str, Any]:
    """Return a modal to read, such as the details of a fix."""
    return modal(names.DETAILS, title, blocks, close="Close")


def why(name: str, title: str, host: str, what: str, token: str, submit: str) -> dict[str, Any]:
    """Return a form that asks only for a reason, such as of a denial or a revert."""
    element = {"type": "plain_text_input", "action_id": names.REASON, "multiline": True, "min_length": 2, "max_length": MAX_REASON}
    said = prose(run(f"{mrkdwn.plain(host, mrkdwn.NAME)}: ", bold=True), run(mrkdwn.plain(what, 600)))
    return modal(name, title, [said, field(names.REASON, "Why", element, hint="Kept in the audit log.")], token, submit=submit)


def deny(host: str, what: str, token: str) -> dict[str, Any]:
    """Return the form that asks why a fix is denied."""
    return why(names.DENY_VIEW, "Deny this fix", host, what, token, "Deny")


def revert(host: str, what: str, token: str) -> dict[str, Any]:
    """Return the form that proposes a revert, which is a plan of its own for another person to approve."""
    return why(
        names.REVERT_VIEW, "Revert this fix", host, f"{what}. Another person approves the way back.", token, "Ask for approval"
    )


def persist(host: str, what: str, token: str) -> dict[str, Any]:
    """Return the form that proposes to make a live change permanent, which is a plan of its own too."""
    said = f"{what}. Another person approves the permanent step."
    return why(names.PERSIST_VIEW, "Make it permanent", host, said, token, "Ask for approval")


def wrong(host: str, what: str, token: str) -> dict[str, Any]:
    """Return the form that asks what it was, where an answer was wrong."""
    element = {"type": "plain_text_input", "action_id": names.REASON, "multiline": True, "min_length": 2, "max_length": MAX_REASON}
    said = prose(run(f"{mrkdwn.plain(host, mrkdwn.NAME)}: ", bold=True), run(mrkdwn.plain(what, 600)))
    hint = "Kept in the audit log. The host is read once more, for the draft of a case."
    return modal(names.WRONG_VIEW, "Wrong answer", [said, field(names.REASON, "It was", element, hint=hint)], token, submit="Send")


def diagnose(runbooks: Sequence[tuple[str, str]], token: str = "", host: str = "", symptom: str = "") -> dict[str, Any]:
    """Return the form of a diagnosis: host, runbook (name and title; the first is preselected), and what is known already."""
    select: dict[str, Any] = {
        "type": "external_select",
        "action_id": names.HOST,
        "min_query_length": 0,
        "placeholder": plain_text("Host", 150),
    }
    if host:
        select["initial_option"] = option(host, host)
    options = [option(f"{name}: {title}", name) for name, title in runbooks[:OPTIONS]]
    books = {"type": "static_select", "action_id": names.RUNBOOK, "options": options, "initial_option": options[0]}
    given = {"initial_value": symptom[:300]} if symptom else {}
    text = {"type": "plain_text_input", "action_id": names.SYMPTOM, "multiline": True, "max_length": 1000, **given}
    pid = {"type": "number_input", "action_id": names.PID, "is_decimal_allowed": False, "min_value": "1", "max_value": "4194304"}
    return modal(
        names.DIAGNOSE_VIEW,
        "Diagnose a host",
        [
            field(names.HOST, "Host", select),
            field(names.RUNBOOK, "Runbook", books),
            field(names.SYMPTOM, "The error, as it was printed", text, optional=True),
            field(names.UNIT, "Unit", _line(names.UNIT), optional=True),
            field(names.USER, "User on the host", _line(names.USER), optional=True),
            field(names.PID, "Process id", pid, optional=True),
        ],
        token,
        submit="Diagnose",
    )


def read_request(values: Mapping[str, Mapping[str, Any]]) -> DiagnosisRequest:
    """Read `view.state.values` of the form `diagnose`."""
    keys = (names.SYMPTOM, names.UNIT, names.USER, names.PID)
    inputs = {key: mrkdwn.words(text) for key in keys if (text := value_of(values, key).strip())}
    return DiagnosisRequest(value_of(values, names.HOST), value_of(values, names.RUNBOOK), inputs)


def host_options(hosts: Sequence[str]) -> dict[str, Any]:
    """Return the answer to an `external_select` that asks for hosts."""
    return {"options": [option(host, host) for host in hosts[:OPTIONS] if len(host) <= 75]}


def value_of(values: Mapping[str, Mapping[str, Any]], block_id: str) -> str:
    """Return what a person entered or chose in a block; empty if nothing."""
    for element in values.get(block_id, {}).values():
        selected = element.get("selected_option")
        return str((selected or {}).get("value") or element.get("value") or "")
    return ""


def _line(name: str) -> dict[str, Any]:
    return {"type": "plain_text_input", "action_id": name, "max_length": 256}
