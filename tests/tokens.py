"""Counts tokens as o200k_base does. The vocabulary comes with the pinned package bpe-openai, so no network is needed."""

import json
from functools import lru_cache
from typing import Any

import bpe_openai

ENCODING = "o200k_base"


@lru_cache(maxsize=1)
def _encoding() -> Any:
    return bpe_openai.get_encoding(ENCODING)


def tokens(value: object) -> int:
    """How many tokens a text is; anything else is counted as compact JSON, which is how it is sent."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(_encoding().encode(text))
