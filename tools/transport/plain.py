"""Text of a host, made harmless for a message: one line, printable, short."""


def plain(raw: bytes | str, limit: int = 200) -> str:
    """Control, bidirectional and other unprintable characters as escapes; one space between words; cut at `limit`."""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in " ".join(text[: limit + 1].split())
    )
    return shown if len(shown) <= limit else shown[:limit] + "..."
