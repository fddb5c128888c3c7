"""Three judges of a payload, none of which knows the cards: Slack's types as a JSON Schema, slack_sdk's validators, our table."""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jsonschema import Draft7Validator
from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View
from triagebook.bot.slack.cards import limits

from tests.peers.peers import CACHE

SCHEMA = CACHE / "blockkit" / "schema.json"
NO_SCHEMA = None if SCHEMA.exists() else "no schema of Slack's types here (`make peers` makes it where npm is)"


@lru_cache(maxsize=1)
def definitions() -> dict[str, Any]:
    """The named types of Slack's schema."""
    found: dict[str, Any] = json.loads(SCHEMA.read_text())["definitions"]
    return found


@lru_cache(maxsize=1)
def block_types() -> dict[str, str]:
    """The definition of each `type` that a block may have, as `KnownBlock` lists them."""
    listed = [option["$ref"].rpartition("/")[2] for option in definitions()["KnownBlock"]["anyOf"]]
    forms = ((name, form) for name in listed for form in definitions()[name].get("anyOf", [definitions()[name]]))
    return {form["properties"]["type"]["const"]: name for name, form in forms}


@lru_cache(maxsize=64)
def validator(name: str) -> Draft7Validator:
    """For a named type; an unknown member is an error there."""
    return Draft7Validator({**definitions()[name], "definitions": definitions()})


def by_types(payload: Mapping[str, Any]) -> Iterator[str]:
    """What Slack's own types do not allow, each block judged by the definition of its `type`."""
    for number, block in enumerate(payload["blocks"]):
        yield from (f"blocks[{number}]{problem}" for problem in _block_problems(json.dumps(block)))
    if "type" in payload:
        frame = {**payload, "blocks": []}
        name = "HomeView" if payload["type"] == "home" else "ModalView"
        yield from (f"{error.json_path}: {error.message[:200]}" for error in validator(name).iter_errors(frame))


@lru_cache(maxsize=100_000)
def _block_problems(text: str) -> tuple[str, ...]:
    block = json.loads(text)
    name = block_types().get(block["type"])
    if name is None:
        return (f": no block of type {block['type']!r}",)
    found = validator(name).iter_errors(block)
    return tuple(
        f"{error.json_path[1:]}: {error.message[:200]} {[it.message[:90] for it in error.context or []][:6]}" for error in found
    )


def by_sdk(payload: Mapping[str, Any]) -> Iterator[str]:
    """What slack_sdk refuses to send, and what it does not know."""
    for block in payload["blocks"]:
        yield from _sdk_problems(json.dumps(block))
    if "type" in payload:
        try:
            View(**payload).to_dict()
        except SlackObjectFormationError as error:
            yield str(error)


@lru_cache(maxsize=100_000)  # a card in ten states has most of its blocks in common
def _sdk_problems(text: str) -> tuple[str, ...]:
    block = json.loads(text)
    try:
        parsed = Block.parse(block)
        if parsed is None:
            return (f"unknown to slack_sdk: {block['type']}",)
        parsed.to_dict()
    except SlackObjectFormationError as error:
        return (str(error),)
    return ()


def objections(payload: Mapping[str, Any]) -> list[str]:
    """What any judge says."""
    types = list(by_types(payload)) if NO_SCHEMA is None else []
    return [*types, *by_sdk(payload), *limits.problems(payload)]
