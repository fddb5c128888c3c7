"""Each fault of the world in a fresh guest, asked as a plain user and as root, without and with the error text.

`python -m tests.lab.field [--release debian-12] [--table FILE] [RECIPE...]` prints a line for each answer and, at the end, how
often healthy was said to a host that refuses, a cause found on a healthy one, a true cause denied, and a true cause named.
`--table` writes the same as rows of a table, in place of those of the same release and recipe. A guest under an emulator is slow:
each account asks once over ssh, with the text, and the same reading is judged once more without it.
"""

import argparse
import io
import json
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triagebook.bot.cli.diagnose import EXIT_STATUS
from triagebook.runbooks.engine.conclude import conclude
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.engine.plain_data import from_plain, to_plain
from triagebook.runbooks.library.catalog import catalog
from triagebook.runbooks.probes.catalog import facts_types, is_collected

from tests import lab
from tests.lab import cache
from tests.lab.field_crashes import CRASHED
from tests.lab.field_further import FOUND
from tests.lab.field_kills import KILLED
from tests.lab.field_limits import LIMITS
from tests.lab.field_recipes import RECIPES as REPORTED
from tests.lab.field_recipes import Recipe
from tests.lab.field_reports import TEN
from tests.lab.file_recipes import RECIPES as OF_FILES
from tests.lab.judgement import LOGIN_ATTEMPTS
from tests.lab.network_recipes import RECIPES as OF_NETWORK
from tests.lab.programs import run
from tests.lab.releases import RELEASES

SOURCES = (REPORTED, FOUND, LIMITS, TEN, KILLED, CRASHED, OF_FILES, OF_NETWORK)
RECIPES = {name: recipe for source in SOURCES for name, recipe in source.items()}
GUEST = Path(__file__).with_name("guest")
REFUSED = Path(__file__).with_name("refused")  # beside the guest's own: a change here builds no image anew
NO_SESSION = 255  # of ssh itself
FITS = "it would fit"  # of the sentence that names what would refuse a login
NO_TRACE = "leaves no trace"  # of the sentence that a host without any reached limit is answered with
WRONG = ("healthy_while_refused", "found_on_healthy", "denied", "other_culprit", "not_made")
HEADER = "release\trecipe\tasker\ttext\tstatus\texit\tcause\tjudged"


@dataclass(frozen=True)
class Asking:
    """One answer: who asked, with the text or without, what was said, and what is to be thought of it."""

    recipe: str
    who: str
    has_text: bool
    status: str
    exit_status: int
    cause: str
    said: str
    verdict: str  # as `judge` has it

    def row(self, release: str) -> str:
        """The line of the table."""
        text = "text" if self.has_text else "none"
        return "\t".join(
            (release, self.recipe, self.who, text, self.status, str(self.exit_status), self.cause or "-", self.verdict)
        )


def judge(recipe: Recipe, answer: dict[str, Any], *, has_text: bool) -> str:
    """healthy_while_refused | found_on_healthy | denied | named | other_culprit | open | now | right | no_answer.

    `now`: no text was given, nothing of the fault can be seen at that instant, and the answer says that it may be so.
    """
    status, verdict = answer["status"], answer["verdict"]
    causes = {item["cause"]: item["explains_symptom"] for item in (verdict, *answer["also"]) if item}
    if status == "unreachable":
        fitting = [sentence for sentence in answer["next"] if FITS in sentence]
        is_named = recipe.may_refuse_logins and any(name in " ".join(fitting) for name in recipe.cause.split())
        return "named" if is_named else "no_answer"
    if not recipe.cause:
        return "found_on_healthy" if status == "cause_found" else "right"
    true = [causes[name] for name in recipe.cause.split() if name in causes]
    if true:
        blamed = [
            item["culprit"]
            for item in (verdict, *answer["also"])
            if item and recipe.culprit and item["cause"] in recipe.cause.split()
        ]
        is_blamed = not recipe.culprit or any({one["id"], one["unit"]} & set(recipe.culprit.split()) for one in blamed)
        return "denied" if set(true) == {"no"} else "named" if is_blamed else "other_culprit"
    if recipe.names and any(recipe.names in sentence for sentence in (answer["headline"], *answer["next"])):
        return "named"
    if status == "healthy":
        says_so = any(NO_TRACE in sentence for sentence in (answer["headline"], *answer["caveats"], *answer["next"]))
        return "now" if recipe.leaves_no_trace and not has_text and says_so else "healthy_while_refused"
    return "open"


def programs() -> bytes:
    """The programs that are refused, compiled here: static, so that they run in any guest. A tar archive."""
    folder = cache.directory() / "field"
    folder.mkdir(parents=True, exist_ok=True)
    run(("gcc", "-O2", "-static", "-pthread", "-o", str(folder / "fx"), str(GUEST / "fx.c")))
    for name in ("lx", "fds", "net"):
        run(("gcc", "-O2", "-static", "-pthread", "-o", str(folder / name), str(REFUSED / f"{name}.c")))
    run(("gcc", "-O0", "-w", "-static", "-pthread", "-o", str(folder / "acmed"), str(REFUSED / "acmed.c")))
    bare = ("-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-fno-pie", "-no-pie")
    run(("gcc", "-m32", "-O1", *bare, "-o", str(folder / "m32"), str(GUEST / "m32.c")))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name in ("fx", "lx", "m32", "acmed", "fds", "net"):
            archive.add(folder / name, name)
    return packed.getvalue()


def make(machine: lab.Machine, recipe: Recipe, packed: bytes) -> None:
    """Make the fault as root, by one login. A unit that cannot be started (its name is taken) is no fault.

    Raises:
        lab.NotProven: it was not made, or the guest does not show it; with what the commands said.
    """
    script = (
        "mkdir -p /opt/acme/bin && tar -xzf - -C /opt/acme/bin && chmod 755 /opt/acme/bin /opt/acme/bin/*\n"
        f"cat > /run/recipe.sh <<'RECIPE'\n{recipe.commands}\nRECIPE\n"
        "timeout 60 sh /run/recipe.sh >/run/recipe.log 2>&1 </dev/null; grep -i 'failed to start' /run/recipe.log"
    )
    if said := as_root(machine, script, packed).stdout:
        raise lab.NotProven(f"the fault was not made: {said[:300]}")
    if not recipe.proof:
        return
    tries = f"n=0; until {{ {recipe.proof}\n}}; do n=$((n+1)); [ $n -lt 20 ] || exit 9; sleep 2; done"
    if as_root(machine, tries).returncode:
        seen = as_root(machine, "cat /run/recipe.log; systemctl --failed --no-legend; journalctl -n 12 -o cat --no-pager").stdout
        raise lab.NotProven(f"the fault was not proved by {recipe.proof!r}; the guest says: {seen[-1500:]}")


def as_root(machine: lab.Machine, script: str, given: bytes = b"") -> "subprocess.CompletedProcess[str]":
    """What a script said and how it ended, by a login of root.

    Raises:
        lab.NotProven: the guest lets root not in; with what ssh said, and what the guest's agent says of sshd and of open files.
    """
    argv = ("ssh", "-F", str(machine.ssh_config), machine.alias("root"), script)
    for _ in range(LOGIN_ATTEMPTS):
        done = subprocess.run(argv, input=given, check=False, timeout=300, capture_output=True)
        if done.returncode != NO_SESSION:
            return subprocess.CompletedProcess(argv, done.returncode, done.stdout.decode(errors="replace"))
        time.sleep(2)
    state = "systemctl status --no-pager -l ssh; cat /proc/sys/fs/file-nr; free; dmesg | tail -n 5"
    seen = machine.agent.run("sh", "-c", state)[1]
    raise lab.NotProven(f"root cannot log in: {done.stderr.decode(errors='replace')[-300:]}; the guest says: {seen}")


def ask(machine: lab.Machine, who: str, runbook: str, options: Sequence[str]) -> tuple[int, dict[str, Any]]:
    """The product's own command line over ssh, as that account: its exit status and its answer."""
    command = [sys.executable, "-c", "from triagebook.bot.cli.app import main; main()", "diagnose", machine.alias(who)]
    command += ["-F", str(machine.ssh_config), "--json", "--timeout", "120", "-r", runbook, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if not done.stdout.strip():
        raise AssertionError(f"no answer (exit {done.returncode}): {done.stderr[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def ask_live(machine: lab.Machine, name: str, who: str, *, has_text: bool = True) -> tuple[Asking, list[dict[str, Any]]]:
    """Ask with the error text or without, and judge the answer; it is left in the cache. Give the facts of each sample too."""
    recipe = RECIPES[name]
    kept = cache.directory() / "field" / "answers" / machine.state.release / f"{name}-{who}.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    text = ("--symptom", recipe.symptom) if recipe.symptom and has_text else ()
    kept.unlink(missing_ok=True)  # of an earlier run: nothing is written over
    exit_status, answer = ask(machine, who, recipe.runbook, [*recipe.options, *text, "--save", str(kept)])
    facts = json.loads(kept.read_text())["facts"] if kept.exists() else []
    return judged(name, who, exit_status, answer, has_text=has_text), facts


def ask_again(name: str, who: str, facts: list[dict[str, Any]]) -> Asking:
    """Judge the same reading as if no text had been given: what a person who only names the host is told of it.

    Of the programs that are asked in a last round, only those are then that a person who names nothing has asked.
    """
    runbook, types = catalog().load(RECIPES[name].runbook), facts_types()
    asked = runbook.unexplained.lookups_unnamed if runbook.unexplained else {}
    seen = {
        probe: types[kind] | Unreadable
        for probe, kind in runbook.probes.items()
        if is_collected(kind)
        or (kind == "crashes" and who == "root")
        or (probe in asked and (who == "root" or kind == "fd_counts"))
    }
    history = [{probe: from_plain(kind, step[probe], probe) for probe, kind in seen.items() if probe in step} for step in facts]
    found = to_plain(conclude(runbook, history, {}))
    return judged(name, who, EXIT_STATUS[found["status"]], found, has_text=False)


def judged(name: str, who: str, exit_status: int, answer: dict[str, Any], *, has_text: bool) -> Asking:
    """What is to be thought of an answer."""
    verdict = answer["verdict"]
    said = f"{verdict['active']} {verdict['strength']}" if verdict else answer["headline"][:90]
    thought = judge(RECIPES[name], answer, has_text=has_text)
    return Asking(name, who, has_text, answer["status"], exit_status, verdict["cause"] if verdict else "", said, thought)


def askings(machine: lab.Machine, name: str, packed: bytes) -> Iterator[Asking]:
    """Make the fault, and ask four times: each account over ssh with the text, and of the same reading without it."""
    make(machine, RECIPES[name], packed)
    for who in RECIPES[name].accounts:
        live, facts = ask_live(machine, name, who)
        if live.verdict == "no_answer":  # a guest that is too slow to answer
            live, facts = ask_live(machine, name, who)
        yield live
        if facts:
            yield ask_again(name, who, facts)
        elif live.status == "unreachable" and live.verdict == "named":
            yield ask_live(machine, name, who, has_text=False)[0]


def told(found: Iterable[Asking]) -> Iterator[Asking]:
    """Print each answer when it is there."""
    for one in found:
        text = "text" if one.has_text else "-"
        print(f"{one.verdict:<22} {one.recipe:<24} {one.who:<5} {text:<5} {one.status:<13} {one.cause} {one.said}", flush=True)
        yield one


def fresh(machine: lab.Machine) -> lab.Machine:
    """A clean guest in place of this one; a machine under load may need a second try."""
    try:
        return lab.reset(machine)
    except lab.NotStarted:
        lab.down(machine.name)
        return lab.up(machine.state.release, machine.name)


def write_table(file: Path, release: str, found: Iterable[Asking]) -> None:
    """Put the rows of these askings in place of the older ones of the same release and recipe."""
    rows = {one.row(release): (release, one.recipe) for one in found}
    old = [line for line in (file.read_text().splitlines() if file.exists() else []) if line and line != HEADER]
    kept = [line for line in old if tuple(line.split("\t")[:2]) not in rows.values()]
    order = list(RECIPES)
    lines = sorted((*kept, *rows), key=lambda line: (line.split("\t")[0], order.index(line.split("\t")[1])))
    file.write_text("\n".join((HEADER, *lines)) + "\n")


def can_be_made(name: str, release: str) -> bool:
    """Whether the fault can exist there: one of cgroup v2 alone cannot where the controllers are on v1, nor the other way round."""
    version = RELEASES[release].cgroup_version
    return not ((RECIPES[name].is_unified_only and version == 1) or (RECIPES[name].is_legacy_only and version == 2))


def main() -> int:
    """Print every answer and the sums; 1 when a refusing host was called healthy, a healthy one accused, or a fault not made."""
    parser = argparse.ArgumentParser(prog="tests.lab.field")
    parser.add_argument("--release", default="debian-12")
    parser.add_argument("--table", type=Path)
    parser.add_argument("--machine", default="field", help="name of the machine, for several at once")
    parser.add_argument("--same-guest", action="store_true", help="make all of them in one guest: for those that do not meet")
    parser.add_argument("recipes", nargs="*", default=list(RECIPES))
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    packed = programs()
    machine = lab.up(options.release, options.machine)
    try:
        for number, name in enumerate(name for name in options.recipes if can_be_made(name, options.release)):
            started = time.monotonic()
            machine = fresh(machine) if number and not options.same_guest else machine
            try:
                found = list(told(askings(machine, name, packed)))
            except lab.NotProven as error:  # the others are still to be asked
                print(f"{'not_made':<22} {name:<24} {error}", flush=True)
                counts["not_made"] += 1
                continue
            counts.update(one.verdict for one in found)
            if options.table:
                write_table(options.table, options.release, found)
            print(f"  {time.monotonic() - started:.0f} s", flush=True)
    finally:
        lab.down(machine.name)
    print(dict(counts))
    return 1 if any(counts[name] for name in WRONG) else 0


if __name__ == "__main__":
    sys.exit(main())
