"""The pages of the case format and of the policy file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from triagebook.runbooks.library import cases, starter
from triagebook.tools.policy import load, model
from triagebook.tools.policy.channels import CHANNELS

from tests.reference.markdown import fenced, made_by, table

ROOT = Path(__file__).parents[2]
CASES_HEAD = """# Cases

A case is a host's facts and the verdict expected from them: one YAML file in `ID/VERSION/cases/`, named after what it shows.
`triagebook runbook test` runs them all, `triagebook diagnose replay:NAME` shows one as if the host were there, and
`triagebook runbook lint` says which state, offer or advice no case proves.

"""
CASE_KEYS: Mapping[str, str] = {
    "about": "what was broken, in a sentence",
    "recorded": "where it comes from, such as `{from: debian-12, scenario: unit-tasksmax}`; left out where it was written by hand",
    "like": "another case of this runbook: start from its facts (chains of up to 8)",
    "samples": "looks at the host: 1 (default) or 2",
    "inputs": "what the person said: `symptom`, `unit`, `user`, `pid`, as far as the runbook takes them",
    "facts": "a mapping a probe; merged over those of `like`, where lists replace lists",
    "first": "with `samples: 2`: what was different at the first look",
    "accept": "checks whose unknown result is accepted, as by `--accept-unknown`",
    "expect": "the verdict, below; at least `status`",
}
EXPECT: Mapping[str, str] = {
    "status": "`healthy`, `warning`, `cause_found` or `inconclusive`",
    "cause": "the id of the check that the verdict names; `null` for none",
    "active": "`now`, `at_limit`, `past`, `near` or `trend`",
    "strength": "`certain`, `likely` or `possible`",
    "culprit": "the culprit's id",
    "explains": '`"yes"`, `"no"` or `"unknown"` (in quotes: a bare yes is true in some YAML)',
    "also": "the causes found beside the first, in their order",
    "checks": "outcomes by check: `matched`, `cleared`, `unknown` or `skipped`",
    "offers": "the remediations offered, in their order",
    "says": "a part of the headline",
    "next": "a part of one piece of advice",
    "needs_sample": "for the reader: the verdict needs a second sample",
}
VALUES = """## Values

- A fact that may be unreadable: `{unreadable: permission denied}`. Leaving it out means the same.
- A list of facts: `{items: [...]}`, with `partial: "why"` where some may be missing, and `counted: N` for those that the host
  judged to be far from any limit and did not list.
- What the facts of a kind are called, with types and units: [Kinds and facts](facts.md).

"""
POLICY_HEAD = """# Policy

`triagebook serve --policy FILE` decides by this file who may do what. A wrong file is refused as a whole, with file and line.
`triagebook policy check --file FILE` checks it, and explains any decision. The first rule that matches decides; what no rule
allows is refused. A change of the file takes a restart of the server.

"""
ACTIONS: Mapping[str, str] = {
    "diagnose": "ask about a host, see its diagnoses, and list fixes on it",
    "propose": "have a plan written and wait for a decision; also for an undo and for making a change permanent",
    "apply": "run a plan that was approved",
    "break_lock": "free a host that a fix of unknown outcome has locked (`triagebook lock break`)",
    "bind_host": "say that a name is another machine now (`triagebook host bind`)",
    "read_audit": "read, verify and export the audit log",
}
KEYS: Mapping[str, str] = {
    "apiVersion": f"`{load.VERSION}`",
    "persons": "people: `NAME: {name: FULL NAME, accounts: [...]}`; an account belongs to one person",
    "services": "programs: `NAME: {owner: PERSON, accounts: [...]}`; a service never approves",
    "groups": f"lists of persons, or `{{{load.USERGROUP}: TEAM/GROUP}}`, whose members Slack is asked for at each decision",
    "rules": "`{name, allow or deny: [ACTION], who: [...], hosts, runbooks, risks}`",
    "approvals": "`{name, needs: [{from: [...], count: N}], expires_in: 15m, via, hosts, runbooks, risks}`",
    "break_glass": "`{name, who: [...], via, hosts, runbooks, risks}`: who may approve an own plan in an emergency, with a reason",
}
WORDS = f"""## Words

- `who` and `from`: a person, `group:NAME`; in `who` of a rule also `service:NAME`, `{model.ANYONE}` (every person; in a deny rule
  everyone, services too) and `{model.UNMAPPED}` (an account of no known person, which may diagnose at most).
- `hosts`, `runbooks`: names; `*` and `?` are wild, case does not matter. `risks`: `low`, `medium`, `high`. Left out: all.
- `via`: the channels on which a decision counts, of {{channels}}. Left out: any of them; in `break_glass` only those on which no
  program can speak in a person's name (`slack`).
- `expires_in`: from `60s` to `24h`. `count`: 1 to {load.MAX_COUNT}, of other people than the requester.

"""


def cases_page() -> str:
    """Return the page of the case format."""
    return (
        CASES_HEAD
        + made_by("`tests/reference/formats_page.py` and the keys of `runbooks/library/cases.py`")
        + table(("Key", "What it says"), _rows(cases.KEYS, CASE_KEYS))
        + "## expect\n\nOnly what stands here is compared.\n\n"
        + table(("Key", "What it says"), _rows(cases.EXPECTATIONS, EXPECT))
        + VALUES
        + "## An example\n\n"
        + "`threads-max-full.yaml`, as `triagebook runbook new` writes it. All other facts are those of `healthy.yaml`:\n\n"
        + fenced(starter.CASES["threads-max-full"], "yaml")
        + "`triagebook runbook record HOST FILE` writes a case from a live host, names replaced.\n"
        + "Look through it before you share it.\n"
    )


def policy_page() -> str:
    """Return the page of the policy file."""
    deciding = [name for name, channel in CHANNELS.items() if channel.may_decide]
    accounts = ((f"`{name}`", f"`{one.account.yaml}`", "yes" if one.may_decide else "no") for name, one in CHANNELS.items())
    return (
        POLICY_HEAD
        + made_by("`tests/reference/formats_page.py`, `tools/policy` and `deploy/policy.yaml`")
        + table(("Key", "What it holds"), _rows(load.KEYS, KEYS))
        + "## Actions\n\nWhat a rule allows or denies:\n\n"
        + table(("Action", "What it lets somebody do"), _rows(model.RULED, ACTIONS))
        + "Approving and denying a plan is no action of a rule: `approvals` and `break_glass` say who may.\n\n"
        + "## Accounts\n\n"
        + table(("Channel", "How its account is written", "May approve and deny"), accounts)
        + WORDS.replace("{channels}", " and ".join(f"`{name}`" for name in deciding))
        + "## An example\n\n"
        + fenced((ROOT / "deploy" / "policy.yaml").read_text(), "yaml")
    )


def _rows(known: Sequence[str], described: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the rows of a table. Raises KeyError where the texts and the product's keys differ."""
    if set(known) != set(described):
        raise KeyError(f"describe in formats_page.py: {sorted(set(known) ^ set(described))}")
    return [(f"`{key}`", described[key]) for key in known]
