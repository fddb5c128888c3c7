"""What a model pays before its first question, counted by a pinned tokenizer, and what its tools tell it for that."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from mcp import Client
from triagebook.tools.mcp_server.answers import FixAnswer
from triagebook.tools.mcp_server.server import INSTRUCTIONS
from triagebook.tools.mcp_server.tool_schema import slim_schema

from tests.tokens import tokens

from .test_attacks import WISH, approved
from .world import McpWorld, text

INPUT_BUDGET, OUTPUT_BUDGET = 1500, 1800
NEGATIONS = ("not ", "Not ")


def listed(world: McpWorld) -> list[dict[str, Any]]:
    tools = world.run(lambda client: client.list_tools()).tools
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]


def test_names_descriptions_and_inputs_of_all_tools_stay_within_their_tokens(world: McpWorld) -> None:
    cost = {tool["name"]: tokens({key: tool[key] for key in ("name", "description", "inputSchema")}) for tool in listed(world)}
    assert sum(cost.values()) <= INPUT_BUDGET, cost


def test_output_schemas_of_all_tools_stay_within_their_tokens(world: McpWorld) -> None:
    cost = {tool["name"]: tokens(tool["outputSchema"]) for tool in listed(world)}
    assert sum(cost.values()) <= OUTPUT_BUDGET, cost


def test_the_tokenizer_is_the_one_that_is_named() -> None:
    assert tokens("Cannot allocate memory") == 3  # cl100k_base and gpt2 differ on the next one
    assert tokens("안녕하세요") == 2


def test_each_description_says_when_not_to_use_the_tool_and_gives_one_example(world: McpWorld) -> None:
    tools = listed(world)
    names = {tool["name"] for tool in tools}
    for tool in tools:
        says = tool["description"]
        assert any(word in says for word in NEGATIONS), says
        assert says.count("Example: ") == 1, says
        assert says.partition("Example: ")[2].startswith(f"{tool['name']}("), says
        elsewhere = {name for name in names - {tool["name"]} if name in says}
        assert elsewhere or tool["name"] in {"propose_fix", "fix_status"}, says


def test_the_instructions_hold_the_words_by_which_a_client_finds_deferred_tools() -> None:
    for word in ("fork: retry", "Cannot allocate memory", "Killed", "Too many open files", "host", "Linux", "ssh"):
        assert word in INSTRUCTIONS
    assert tokens(INSTRUCTIONS) <= 200


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a structured answer outside `untrusted`."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name != "untrusted":
                yield from leaves(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)
    elif value not in ("", None) and not isinstance(value, bool):
        yield path, value


SAID_OTHERWISE = {
    ".cause.explains_symptom": "said where the answer is not yes",
    ".also.explains_symptom": "said where the answer is not yes",
    ".rows.severity": "said where it is not info",
}


def test_the_text_and_the_structured_form_say_the_same(world: McpWorld) -> None:
    fix = approved(world)

    async def steps(client: Client) -> None:
        first = (await client.call_tool("diagnose", {"host": "web-01"})).structured_content
        calls: list[tuple[str, dict[str, Any]]] = [
            ("list_hosts", {}),
            ("diagnose", {"host": "web-01", "symptom": "fork: retry"}),
            ("diagnose_fleet", {"hosts": ["group:web"]}),
            ("get_diagnosis", {"diagnosis_id": first["diagnosis_id"], "section": "facts"}),
            ("propose_fix", WISH),
            ("fix_status", {"fix_id": fix}),
        ]
        for name, arguments in calls:
            answer = await client.call_tool(name, arguments)
            said = text(answer)
            missing = [
                (path, value)
                for path, value in leaves(answer.structured_content)
                if str(value).removesuffix(".0").lower() not in said.lower() and path not in SAID_OTHERWISE
            ]
            assert not missing, (name, missing, said)
            for name_of, texts in answer.structured_content.get("untrusted", {}).get("texts", {}).items():
                for value in texts:
                    assert json.dumps(value, ensure_ascii=False)[1:60] in said, (name, name_of, value)

    world.run(steps)
    rows = world.as_("dan").call("search_audit", {"limit": 5})
    for path, value in leaves(rows.structured_content):
        assert str(value) in text(rows) or path in SAID_OTHERWISE, (path, value)


def test_an_answer_about_a_fix_has_all_that_the_schema_of_propose_fix_tells(world: McpWorld) -> None:
    schemas = {tool["name"]: tool["outputSchema"] for tool in listed(world)}
    fix = approved(world)
    for name in ("fix_status", "apply_fix"):
        answer = world.call(name, {"fix_id": fix})
        jsonschema.validate(answer.structured_content, schemas["propose_fix"])
        assert set(answer.structured_content) == set(FixAnswer.__dataclass_fields__)


KINDS = {
    "$defs": {
        "One": {"title": "One", "description": "A docstring.", "properties": {"title": {"title": "Title", "type": "string"}}},
        "Twice": {"type": "integer", "title": "Twice"},
    },
    "properties": {
        "one": {"$ref": "#/$defs/One"},
        "a": {"$ref": "#/$defs/Twice"},
        "b": {"anyOf": [{"$ref": "#/$defs/Twice"}, {"type": "null"}], "default": None},
        "kept": {"default": 20, "description": "Told.", "type": "integer"},
    },
    "required": ["a"],
}


def test_a_slim_schema_names_members_as_before_and_shares_only_what_is_used_twice() -> None:
    assert slim_schema(KINDS) == {
        "$defs": {"Twice": {"type": "integer"}},
        "properties": {
            "one": {"properties": {"title": {"type": "string"}}},
            "a": {"$ref": "#/$defs/Twice"},
            "b": {"anyOf": [{"$ref": "#/$defs/Twice"}, {"type": "null"}], "default": None},
            "kept": {"default": 20, "description": "Told.", "type": "integer"},
        },
        "required": ["a"],
    }


@pytest.mark.parametrize(
    "value", [{"a": 1}, {"a": 1, "one": {"title": "x"}}, {"a": "x"}, {"b": 2}, {"a": 1, "b": "x"}, {"a": 1, "one": {"title": 1}}]
)
def test_a_slim_schema_accepts_the_same_values(value: object) -> None:
    is_valid = [jsonschema.Draft202012Validator(schema).is_valid for schema in (KINDS, slim_schema(KINDS))]
    assert is_valid[0](value) == is_valid[1](value)
