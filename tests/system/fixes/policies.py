"""A policy for the tests."""

from triagebook.tools.policy.identity import Account, Actor
from triagebook.tools.policy.load import load_policy
from triagebook.tools.policy.model import Policy

TEXT = """\
apiVersion: triagebook/policy/v1
persons:
  ann:
    name: Ann Example
    accounts: [{os: ann}, {slack: T0TEAM/U0ANN}, {mcp: "https://idp.example/", subject: ann}]
  bob: {accounts: [{os: bob}, {slack: T0TEAM/U0BOB}]}
  cid: {accounts: [{os: cid}]}
  dan: {accounts: [{os: dan}]}
services:
  robot: {owner: ann, accounts: [{mcp: "https://idp.example/", subject: robot}]}
groups:
  sre: [ann, bob, cid]
  dba: [cid, dan]
  retired: []
rules:
  - {name: not the vault, deny: [propose], who: [anyone], hosts: [vault-*]}
  - {name: strangers look, allow: [diagnose], who: [unmapped], hosts: [web-*]}
  - {name: everybody looks, allow: [diagnose], who: [anyone, "service:robot"]}
  - {name: sre asks, allow: [propose], who: ["group:sre", "service:robot"], runbooks: [forks], risks: [low, medium]}
  - {name: sre applies, allow: [apply, break_lock, bind_host], who: ["group:sre"]}
  - {name: dan reads, allow: [read_audit], who: [dan]}
  - {name: bob reads some, allow: [read_audit], who: [bob], hosts: [web-*]}
approvals:
  - {name: databases, hosts: [db-*], needs: [{from: ["group:sre"]}, {from: ["group:dba"]}], expires_in: 1h}
  - {name: retired, hosts: [old-*], needs: [{from: ["group:retired"]}], expires_in: 15m}
  - {name: two for medium, risks: [medium], needs: [{from: ["group:sre"], count: 2}], expires_in: 15m}
  - {name: one for low, risks: [low], needs: [{from: ["group:sre"]}], expires_in: 15m}
break_glass:
  - {name: ann at night, who: [ann], hosts: [web-*], risks: [low], via: [cli, slack]}
"""


def policy(text: str = TEXT) -> Policy:
    return load_policy(text, "policy.yaml")


def actor(name: str) -> Actor:
    """`ann` is the OS user; `slack:U0ANN` and `mcp:ann` are what they say."""
    kind, colon, subject = name.partition(":")
    if not colon:
        return Actor(Account("os", "", name), "cli")
    if kind == "slack":
        return Actor(Account("slack", "T0TEAM", subject), "slack")
    return Actor(Account("mcp", "https://idp.example/", subject), "mcp")
