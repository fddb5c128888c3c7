"""Plans a change of a kernel value of several figures: they are recorded, compared and written as a whole."""

from collections.abc import Sequence

from triagebook.runbooks.engine.errors import ParseError, UsageError
from triagebook.runbooks.engine.text import is_whole_number
from triagebook.tools.actions.action import WRITE, PlannedChange, Step
from triagebook.tools.collector.readings import HostReading


def capture(key: str) -> tuple[HostReading, ...]:
    """Ask for the figures of one key."""
    return (HostReading("figures", (key.replace(".", "/"),)),)


def parse(key: str, text: str, size: int) -> tuple[int, ...]:
    """Read what `capture` printed. Raises ParseError: not so many figures."""
    words = text.split()
    if len(words) != size or not all(is_whole_number(word) for word in words):
        raise ParseError(f"{key}: {text[:80]!r}")
    return tuple(int(word) for word in words)


def plan(key: str, step: Step, before: Sequence[int], after: Sequence[int]) -> PlannedChange:
    """Return the change from one set of figures to another. Raises UsageError: made permanent before it was tried live."""
    now, then = (" ".join(map(str, figures)) for figures in (before, after))
    order = {"step": step, "key": key, "before": now.replace(" ", ":"), "value": then.replace(" ", ":")}
    if step == "live":
        return PlannedChange(
            order=order,
            what=f"{key}, until the next boot",
            now=now,
            then=then,
            commands=(("sysctl", "-w", f"{key}={then}"),),
            undo_commands=(("sysctl", "-w", f"{key}={now}"),),
        )
    if now != then:
        raise UsageError(f"{key} is {now}: make {then} live first, then permanent", reason="not_live")
    file = f"/etc/sysctl.d/99-zz-triagebook-{key}.conf"
    return PlannedChange(
        order=order,
        what=f"{key} from the next boot on, in {file}",
        now="not in a file of ours",
        then=f"{key} = {then}",
        commands=((*WRITE, file, f"{key} = {then}"),),
        undo_commands=(("rm", file),),
    )
