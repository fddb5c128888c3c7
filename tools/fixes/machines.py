"""Holds one machine to one inventory name: a name shows the machine it was bound to, and a machine has no second name.

A name is bound at its first use, also by a mere diagnosis. A person with the right `bind_host` binds it anew when the machine
was really replaced. The host key is proven by the login; target id and machine id are the host's own words.
"""

from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.errors import RefusedError, UsageError
from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.fixes.approval_server import ApprovalServer, FixRequest, other_names, require, require_form, require_name
from triagebook.tools.policy.channels import may_decide
from triagebook.tools.policy.model import PolicyQuestion
from triagebook.tools.redact import clean_reason
from triagebook.tools.store import machine_rows
from triagebook.tools.store.database import Transaction
from triagebook.tools.store.machine_rows import Machine

BIND = "bind_host"
WORDS = (("host_key", "host key"), ("machine_id", "machine id"), ("target_id", "target id"))


def machine_of(server: ApprovalServer, diagnosis: Diagnosis, target_id: str = "") -> Machine:
    """Return what a host showed of itself at a diagnosis."""
    return Machine(diagnosis.host.name, diagnosis.target.host_key, diagnosis.host.machine_id, target_id, server.clock())


def note_machine(server: ApprovalServer, transaction: Transaction, diagnosis: Diagnosis) -> None:
    """Bind the name of a diagnosed host, if it is not bound yet."""
    machine = machine_of(server, diagnosis)
    if machine.host in server.names.inventory.hosts and machine.host_key:
        machine_rows.add(transaction, machine)


def require_machine(server: ApprovalServer, diagnosis: Diagnosis, target_id: str) -> None:
    """Refuse a host that is not the machine its name is bound to, and a machine that has another name too.

    Raises RefusedError `other_machine` or `same_machine`. What was not seen of it before is learnt.
    """
    machine = machine_of(server, diagnosis, target_id)
    if machine.host not in server.names.inventory.hosts:
        return  # a recorded case; other names were refused before
    with server.store.write("machine") as transaction:
        bound = machine_rows.read(transaction, machine.host)
        if bound is None:
            machine_rows.add(transaction, machine)
        else:
            _require_same(bound, machine)
            missing = {name: getattr(machine, name) for name, _ in WORDS if getattr(machine, name) and not getattr(bound, name)}
            if missing:
                machine_rows.complete(transaction, machine.host, **missing)
        others = other_names(server, transaction, machine)
    _require_no_other_name(machine.host, others)


def bind_host(server: ApprovalServer, request: FixRequest, host: str, why: str) -> Machine:
    """Look at the host now and bind its name to the machine that answers, with an alert in the audit log.

    Raises RefusedError: not allowed, not reached, or a machine that another name is bound to. UsageError: no reason given.
    """
    require_form(server, request, host)
    if not may_decide(request.actor.channel) or request.identity.service:
        raise RefusedError(f"{host}: only a person binds a name, in the terminal", reason="mcp_cannot_approve")
    require(server, request, PolicyQuestion(BIND, host))
    require_name(server, request, host)
    reason = clean_reason(why)
    if not reason:
        raise UsageError("say why the name is bound to another machine (--why)", reason="usage")
    diagnosis, _ = server.diagnoser.look(host, server.default_runbook(), (), {})
    machine = machine_of(server, diagnosis, server.executor.target_id(host) if server.executor else "")
    if not machine.host_key or not machine.machine_id:
        message = f"{host}: it shows no host key or no machine id now, so nothing was bound: {diagnosis.headline}"
        raise RefusedError(message, reason="login")
    with server.store.write("bind_host") as transaction:
        bound = machine_rows.read(transaction, host)
        others = other_names(server, transaction, machine)
        if not others:
            detail = {"why": reason}
            for name, words in WORDS:
                detail[words] = f"{getattr(bound, name, '') or 'none'} -> {getattr(machine, name) or 'none'}"
            machine_rows.bind(transaction, machine, request.event(severity="alert", detail=detail))
    _require_no_other_name(host, others)
    return machine


def _require_same(bound: Machine, machine: Machine) -> None:
    for name, words in WORDS:
        then, now = getattr(bound, name), getattr(machine, name)
        if then and now and then != now:
            raise RefusedError(
                f"{machine.host}: this is not the machine that had this name since {bound.seen_at:%Y-%m-%d %H:%M} UTC: its {words} "
                f"was {safe_text(then, 80)}, now it is {safe_text(now, 80)}. If the machine was really reinstalled or replaced: "
                f"triagebook host bind {machine.host} --why REASON",
                reason="other_machine",
            )


def _require_no_other_name(host: str, others: list[str]) -> None:
    if others:
        raise RefusedError(
            f"{host}: this machine is {', '.join(others[:3])} in the inventory too (same host key or target id), and rules could "
            "differ by name: keep one name. Two machines cloned from one image each need host keys of their own (ssh-keygen -A), a "
            "machine id of their own (systemd-machine-id-setup) and `triagebook host install`",
            reason="same_machine",
        )
