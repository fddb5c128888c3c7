"""Writes numbers as people read them. Every function takes a value or the unknown of a template, which stays `unknown`."""

_STEPS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def as_bytes(value: object) -> str:
    """Return a size for people: 1536 -> '1.5 KiB'. Binary multiples, one decimal below 10."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return str(value)
    sign, size = ("-" if value < 0 else ""), abs(float(value))
    step = 0
    while size >= 1024 and step < len(_STEPS) - 1:
        size, step = size / 1024, step + 1
    return f"{sign}{size:.1f} {_STEPS[step]}" if step and size < 10 else f"{sign}{size:.0f} {_STEPS[step]}"


def as_bytes_in_a_sentence(value: object) -> str:
    """Return a size as a sentence has it: a room below zero is what is beyond a limit: '0 B (5.8 MiB too many) are left'."""
    if isinstance(value, (int, float)) and value < 0:
        return f"0 B ({as_bytes(-value)} too many)"
    return as_bytes(value)


def as_count(value: object) -> str:
    """Return a count for people: 4194304 -> '4 194 304' (thin groups of three, as SI has it); small numbers stay as they are."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return str(value)
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 10000 else f"{value:g}"


def as_percent(value: object, whole: object) -> str:
    """Return a share for people: `used | percent_of(limit)` -> '97 %'; unknown when either is, or when the whole is nothing."""
    if not isinstance(value, (int, float)) or not isinstance(whole, (int, float)) or whole == 0:
        return "unknown"
    return f"{100 * value / whole:.0f} %"


def as_duration(value: object) -> str:
    """Return a duration for people: '45 s', '12 min', '3.5 h', '2.1 d'."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return str(value)
    for limit, divisor, unit in ((90, 1, "s"), (5400, 60, "min"), (172800, 3600, "h")):
        if abs(value) < limit:
            return f"{value / divisor:.3g} {unit}"
    return f"{value / 86400:.3g} d"


def quantity(value: float | str, unit: str) -> str:
    """Return a value with its unit: bytes become binary multiples, counts are grouped, percent and modes stand plain, an empty
    text is `none`.

    Less than nothing of a counted thing is what was used beyond the whole of it: nothing is left, and so much is over.
    """
    if isinstance(value, (int, float)) and value < 0 and unit not in {"", "mode"}:
        return f"{quantity(0, unit)} ({quantity(-value, unit)} over)"
    if value == "":
        return "none"
    if unit == "bytes":
        return as_bytes(value)
    number = as_count(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)
    return f"{number} {unit}".strip() if unit not in {"mode", ""} else number
