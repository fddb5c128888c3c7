"""Defines the arguments of the tools: typed, bounded, each with a sentence. None approves a fix, and none takes a command.

What a name may be stands in the schema; the inventory and the services check it, so that a wrong one is refused with a
reason and recorded.
"""

from typing import Annotated, Literal

from pydantic import Field
from triagebook.tools.inventory.inventory import NAME

HOST_PATTERN = rf"^(replay:)?{NAME.pattern}$"
Host = Annotated[
    str,
    Field(
        description="A host by its inventory name (list_hosts), or replay:CASE for a recorded one to try things out",
        max_length=260,
        json_schema_extra={"pattern": HOST_PATTERN},
    ),
]
Hosts = Annotated[
    list[Annotated[str, Field(max_length=260)]],
    Field(description="Inventory names; group:NAME stands for all hosts of a group", min_length=1, max_length=64),
]
Runbook = Annotated[str, Field(description="One runbook, ID or ID@VERSION; empty: all in one look", max_length=100)]
Symptom = Annotated[
    str, Field(description="The error text the person saw, word for word: it decides which causes explain it", max_length=500)
]
Unit = Annotated[str, Field(description="The systemd unit it happened in, such as app.service", max_length=256)]
User = Annotated[str, Field(description="The user it happened to", max_length=64)]
Pid = Annotated[int, Field(description="The process it happened to; 0: not known", ge=0, le=4194304)]
DiagnosisId = Annotated[str, Field(description="A diagnosis_id that diagnose returned", min_length=1, max_length=64)]
Section = Literal["brief", "verdicts", "checks", "facts", "unknown", "fixes", "cost"]
SectionName = Annotated[
    Section, Field(description="brief: the answer again; fixes: exact commands by hand, with undo; cost: how it was read")
]
FixId = Annotated[
    str,
    Field(
        description="A fix_id that propose_fix returned",
        min_length=1,
        max_length=40,
        json_schema_extra={"pattern": "^F-[0-9a-z]{8}$"},
    ),
]
PermanentOf = Annotated[
    str,
    Field(
        description="Instead of a new change: the fix_id of one that is in place (validated, unresolved), to be made permanent. "
        "host and remediation are that fix's; nothing else but the reason is given",
        max_length=40,
        json_schema_extra={"pattern": "^(F-[0-9a-z]{8})?$"},
    ),
]
MaybeFixId = Annotated[str, Field(description="Only rows of this fix", max_length=40)]
MaybeHost = Annotated[str, Field(description="Only rows of this host", max_length=260)]
Person = Annotated[str, Field(description="Only rows of this person", max_length=64)]
Remediation = Annotated[str, Field(description="The id of an offer of this host's diagnosis", min_length=1, max_length=64)]
Culprit = Annotated[
    str,
    Field(description="Which culprit, where several offer the same remediation: its id as the diagnosis shows it", max_length=300),
]
Parameters = Annotated[
    dict[str, int], Field(description="Numbers by name, inside the offer's bounds; left out: its defaults", max_length=8)
]
Reason = Annotated[str, Field(description="Why, in one sentence, for the approver; shown to them as unverified", max_length=300)]
Offset = Annotated[int, Field(description="Where a page begins; next_offset of the page before", ge=0, le=1000000)]
Limit = Annotated[int, Field(description="At most so many", ge=1, le=50)]
