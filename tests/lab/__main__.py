"""The small command: `python -m tests.lab --help`."""

import argparse
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence

from tests.lab import image, lifecycle, qemu, snapshot
from tests.lab.errors import LabError, NotAvailable
from tests.lab.releases import RELEASES
from tests.lab.scenarios import SCENARIOS
from tests.lab.trial import trials

DEFAULT = "debian-12"


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0: done; 1: it failed; 2: usage; 3: this machine cannot run it."""
    arguments = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `try` ends its machine
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except NotAvailable as error:
        _say(str(error))
        return 3
    except LabError as error:
        _say(str(error))
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description="Real broken hosts in QEMU.")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")

    def verb(name: str, command: Callable[[argparse.Namespace], int], says: str) -> argparse.ArgumentParser:
        found = verbs.add_parser(name, help=says, description=says)
        found.set_defaults(command=command)
        return found

    def of_machine(name: str, command: Callable[[argparse.Namespace], int], says: str) -> argparse.ArgumentParser:
        found = verb(name, command, says)
        found.add_argument("-m", "--machine", default=DEFAULT, help="name of the running machine")
        return found

    start = verb("up", _up, "start a machine: resume its snapshot, or build and boot it first")
    start.add_argument("release", nargs="?", default=DEFAULT, choices=tuple(RELEASES))
    start.add_argument("--name", default="", help="another name, to run several of one release")
    fault = of_machine("fault", _fault, "inject a scenario and prove its symptom")
    fault.add_argument("scenario", choices=tuple(SCENARIOS))
    of_machine("clear", _clear, "take the scenario out again")
    of_machine("prove", _prove, "try the failing calls of the scenario again")
    login = of_machine("ssh", _ssh, "log in")
    login.add_argument("-l", "--login", default="diag", choices=("diag", "root", "appuser", "acme"))
    login.add_argument("words", nargs=argparse.REMAINDER, help="command to run there")
    of_machine("reset", _reset, "resume the snapshot anew")
    verb("down", _down, "end machines").add_argument("machines", nargs="*", help="names; none: all")
    verb("list", _list, "running machines, releases and scenarios")
    verb("probe", _probe, "say whether KVM runs the guests here")
    verb("build", _build, "make the image and every release's snapshot")
    trial = verb("try", _try, "inject, prove and clear scenarios one after the other; a table")
    trial.add_argument("release", choices=tuple(RELEASES))
    trial.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="none: all")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _up(arguments: argparse.Namespace) -> int:
    machine = lifecycle.up(arguments.release, arguments.name)
    state = machine.state
    _say(f"{machine.name}: up in {state.resume_s} s ({state.accelerator}; first boot took {state.boot_s} s)")
    _say(f"ssh -F {machine.ssh_config} {machine.alias()}")
    return 0


def _fault(arguments: argparse.Namespace) -> int:
    machine = lifecycle.attach(arguments.machine)
    context = machine.inject(arguments.scenario)
    _say(f"{context.scenario.title}; pid {context.pid}, cgroup {context.cgroup or '-'}")
    return _prove(arguments)


def _prove(arguments: argparse.Namespace) -> int:
    for symptom in lifecycle.attach(arguments.machine).prove():
        _say(str(symptom))
    return 0


def _clear(arguments: argparse.Namespace) -> int:
    lifecycle.attach(arguments.machine).clear()
    return 0


def _ssh(arguments: argparse.Namespace) -> int:
    machine = lifecycle.attach(arguments.machine)
    argv = ("ssh", "-F", str(machine.ssh_config), machine.alias(arguments.login), *arguments.words)
    return subprocess.run(argv, check=False).returncode


def _reset(arguments: argparse.Namespace) -> int:
    machine = lifecycle.reset(lifecycle.attach(arguments.machine))
    _say(f"{machine.name}: up in {machine.state.resume_s} s")
    return 0


def _down(arguments: argparse.Namespace) -> int:
    for name in arguments.machines or tuple(lifecycle.running()):
        lifecycle.down(name)
    return 0


def _list(_arguments: argparse.Namespace) -> int:
    for name, state in lifecycle.running().items():
        _say(f"running   {name}: {state.release}, port {state.port}, {state.scenario or 'no fault'}")
    for name, release in RELEASES.items():
        _say(f"release   {name}: cgroup v{release.cgroup_version}, pids.events of the {release.pids_events}")
    for name, scenario in SCENARIOS.items():
        _say(f"scenario  {name}: {scenario.title}")
    return 0


def _probe(_arguments: argparse.Namespace) -> int:
    for name, release in RELEASES.items():
        _say(f"{name}: {qemu.accelerator(image.build(release.codename), release)}")
    return 0


def _build(_arguments: argparse.Namespace) -> int:
    for release in RELEASES.values():
        saved = snapshot.of(release)
        _say(f"{release.name}: {saved.accelerator}, first boot {saved.boot_s} s")
    return 0


def _try(arguments: argparse.Namespace) -> int:
    failed = run = 0
    with lifecycle.machine(arguments.release, f"try-{arguments.release}") as machine:
        _say(f"{machine.name}: up in {machine.state.resume_s} s ({machine.state.accelerator})")
        _say(f"{'scenario':20} inject  prove  clear  (seconds)")
        for trial in trials(machine, arguments.scenarios or tuple(SCENARIOS)):
            _say(trial.line())
            run += 1
            failed += bool(trial.failure)
    _say(f"{run} scenarios run on {arguments.release}, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
