"""Renders drift as text: settings in which hosts differ, outliers first, then what is unknown, then what is equal."""

from collections.abc import Sequence

from triagebook.bot.render.style import Style
from triagebook.runbooks.engine.quantities import quantity
from triagebook.tools.diagnosis.drift import DriftRow, Value

MAX_NAMES = 8


def render_drift(rows: Sequence[DriftRow], hosts: int, style: Style) -> str:
    """Return the comparison of the `hosts` hosts that answered."""
    lines = []
    for row in rows:
        if row.outliers:
            usual = f"{row.usual_hosts} of {hosts} have {_value(row.usual, row.unit)}" if row.usual is not None else "no majority"
            lines += style.wrap(f"{style.paint(row.setting, '1')}: {usual}{f'   {row.source}' if row.source else ''}", "", "    ")
            for value, names in row.others.items():
                lines += style.wrap(f"{style.paint(_text_of_value(value, row.unit), '33')}  {_names(names)}", "  ", "    ")
            lines += _unknown(row, style)
    unclear = [row for row in rows if row.unknown and not row.outliers]
    if unclear:
        lines += [*([""] if lines else []), *style.wrap("Unknown on some hosts, equal on the others:")]
        for row in unclear:
            usual = f"{_value(row.usual, row.unit)} on {row.usual_hosts}" if row.usual is not None else "known on none"
            lines += style.wrap(f"{row.setting}: {usual}", "  ", "    ")
            lines += [f"  {line}" for line in _unknown(row, style)]
    equal = [f"{row.setting} {_value(row.usual, row.unit)}" for row in rows if not row.unknown and not row.outliers]
    if equal:
        lines += [*([""] if lines else []), *style.wrap(f"Equal on all {hosts}: {', '.join(equal)}", "", "  ")]
    return "\n".join(lines) + "\n"


def _unknown(row: DriftRow, style: Style) -> list[str]:
    lines = []
    for reason, names in row.unknown.items():
        lines += style.wrap(f"unknown ({reason})  {_names(names)}", "  ", "    ")
    return lines


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return f"{len(names)}: {', '.join(names[:MAX_NAMES])}{more}"


def _value(value: Value | None, unit: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unknown" if value is None else '""' if value == "" else quantity(value, unit)


def _text_of_value(text: str, unit: str) -> str:
    return _value(int(text) if text.isdecimal() else text, unit)
