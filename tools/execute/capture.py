"""Reading the present state before a change: an action's read-only commands, run by the diagnosing account."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from triagebook.runbooks.engine.errors import PlanError
from triagebook.tools.actions.action import Argv
from triagebook.tools.target_name import TargetName, parse_target
from triagebook.tools.transport.base import LoginFailed, Process, Transport

TIMEOUT_S = 60.0
CAP_BYTES = 1 << 20  # two thousand processes of one user
KEPT = 64


@dataclass
class HostCapture:
    """Runs fixed argv on hosts; keeps what was read before a change, so that harm can be told after it."""

    transport_for: Callable[[TargetName], Transport]
    target_of: Callable[[str], TargetName] = parse_target
    kept: OrderedDict[str, tuple[str, ...]] = field(default_factory=OrderedDict)

    def read(self, host: str, commands: Sequence[Argv]) -> tuple[str, ...]:
        """What each command printed, over one connection. PlanError when one cannot be run or fails."""
        target = self.target_of(host)
        try:
            process: Process = self.transport_for(target).launch(target.reach, commands[0], cap_bytes=CAP_BYTES)
            try:
                outputs = [_output(host, commands[0], process)]
                start = process.session.start
                outputs += [_output(host, argv, start(argv, cap_bytes=CAP_BYTES)) for argv in commands[1:]]
            finally:
                process.session.close()
        except LoginFailed as error:
            raise PlanError(f"{host}: its present state cannot be read: {error}") from None
        return tuple(outputs)

    def keep(self, order_digest: str, outputs: Sequence[str]) -> None:
        """Remember what was read before that order."""
        self.kept[order_digest] = tuple(outputs)
        while len(self.kept) > KEPT:
            self.kept.popitem(last=False)


def _output(host: str, argv: Argv, process: Process) -> str:
    ended = process.finish(TIMEOUT_S)
    text = b"".join(iter(lambda: process.read(TIMEOUT_S), b"")).decode("utf-8", "replace")
    if ended.ended != "exit" or ended.is_truncated:
        raise PlanError(f"{host}: {argv[0]}: its answer was cut ({ended.ended})")
    if ended.status != 0 and not text.strip():
        said = " ".join(ended.stderr.decode("utf-8", "replace").split())[:200]
        raise PlanError(f"{host}: {argv[0]} failed ({ended.status}): {said}")
    return text
