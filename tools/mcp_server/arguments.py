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
        description="Inventory name, or replay:CASE",
        max_length=260,
        json_schema_extra={"pattern": HOST_PATTERN},
    ),
]
Hosts = Annotated[
    list[Annotated[str, Field(max_length=260)]],
    Field(description="Inventory names or group:NAME", min_length=1, max_length=64),
]
Runbook = Annotated[str, Field(description="ID or ID@VERSION; empty: all", max_length=100)]
Symptom = Annotated[str, Field(description="The error text, word for word", max_length=500)]
Unit = Annotated[str, Field(description="Its systemd unit", max_length=256)]
User = Annotated[str, Field(description="Its OS user", max_length=64)]
Pid = Annotated[int, Field(description="Its process", ge=0, le=4194304)]
DiagnosisId = Annotated[str, Field(description="From diagnose", min_length=1, max_length=64)]
Section = Literal["brief", "verdicts", "checks", "facts", "unknown", "fixes", "cost"]
SectionName = Annotated[Section, Field(description="fixes: commands by hand, with undo")]
FixId = Annotated[
    str,
    Field(
        description="From propose_fix",
        min_length=1,
        max_length=40,
        json_schema_extra={"pattern": "^F-[0-9a-z]{8}$"},
    ),
]
PermanentOf = Annotated[
    str,
    Field(
        description="fix_id of a fix in place, to keep it over boots; same host and remediation",
        max_length=40,
        json_schema_extra={"pattern": "^(F-[0-9a-z]{8})?$"},
    ),
]
MaybeFixId = Annotated[str, Field(description="Of this fix", max_length=40)]
MaybeHost = Annotated[str, Field(description="Of this host", max_length=260)]
Person = Annotated[str, Field(description="By this person", max_length=64)]
Remediation = Annotated[str, Field(description="An offer of the diagnosis", min_length=1, max_length=64)]
Culprit = Annotated[
    str,
    Field(description="Its id, where several offer the same", max_length=300),
]
Parameters = Annotated[dict[str, int], Field(description="Numbers in the offer's bounds", max_length=8)]
Reason = Annotated[str, Field(description="Why, for the approver", max_length=300)]
Offset = Annotated[int, Field(description="From next_offset", ge=0, le=1000000)]
Limit = Annotated[int, Field(description="Most rows", ge=1, le=50)]
