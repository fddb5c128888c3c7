"""Each fault of the world in a fresh guest, asked as a plain user and as root, without and with the error text.

`python -m tests.lab.field [--release debian-12] [RECIPE...]` prints a line for each answer and, at the end, how often healthy was
said to a host that refuses, a cause found on a healthy one, a true cause denied, and a true cause named.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import lab
from tests.lab import cache
from tests.lab.field_recipes import RECIPES, Recipe
from tests.lab.programs import run

RUNBOOK = "enomem@1.1.0"
GUEST = Path(__file__).with_name("guest")
ACCOUNTS = ("diag", "root")


@dataclass(frozen=True)
class Asking:
    """One answer: who asked, with the text or without, what was said, and what is to be thought of it."""

    recipe: str
    who: str
    has_text: bool
    status: str
    said: str
    verdict: str  # as `judge` has it


def judge(recipe: Recipe, answer: dict[str, Any]) -> str:
    """healthy_while_refused | found_on_healthy | denied | named | open | right."""
    status, verdict = answer["status"], answer["verdict"]
    causes = {item["cause"]: item["explains_symptom"] for item in (verdict, *answer["also"]) if item}
    if not recipe.cause:
        return "found_on_healthy" if status == "cause_found" else "right"
    if status == "healthy":
        return "healthy_while_refused"
    if causes.get(recipe.cause) == "no":
        return "denied"
    if recipe.cause in causes or (recipe.names and recipe.names in answer["headline"]):
        return "named"
    return "open"


def programs() -> dict[str, Path]:
    """The programs that are refused, compiled here: static, so that they run in any guest."""
    folder = cache.directory() / "field"
    folder.mkdir(parents=True, exist_ok=True)
    built = {"fx": folder / "fx", "m32": folder / "m32"}
    run(("gcc", "-O2", "-static", "-pthread", "-o", str(built["fx"]), str(GUEST / "fx.c")))
    bare = ("-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-fno-pie", "-no-pie")
    run(("gcc", "-m32", "-O1", *bare, "-o", str(built["m32"]), str(GUEST / "m32.c")))
    return built


def ask(machine: lab.Machine, who: str, symptom: str) -> dict[str, Any]:
    """The product's own command line over ssh, as that account."""
    command = [sys.executable, "-c", "from triagebook.bot.cli.app import main; main()", "diagnose", machine.alias(who)]
    command += ["-F", str(machine.ssh_config), "--json", "-r", RUNBOOK]
    command += ["--symptom", symptom] if symptom else []
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    if not done.stdout.strip():
        raise AssertionError(f"no answer (exit {done.returncode}): {done.stderr[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def askings(machine: lab.Machine, name: str) -> Iterator[Asking]:
    """Make the fault, and ask four times."""
    recipe = RECIPES[name]
    for program, path in programs().items():
        with path.open("rb") as content:
            argv = ("ssh", "-F", str(machine.ssh_config), machine.alias("root"))
            place = f"mkdir -p /opt/acme/bin && cat > /opt/acme/bin/{program} && chmod 755 /opt/acme/bin/{program}"
            subprocess.run((*argv, place), stdin=content, check=True, timeout=60)
    script = (
        f"cat > /run/recipe.sh <<'RECIPE'\n{recipe.commands}\nRECIPE\ntimeout 60 sh /run/recipe.sh >/run/recipe.log 2>&1 </dev/null"
    )
    machine.ssh("root", script, 120)
    for who in ACCOUNTS:
        for symptom in ("", recipe.symptom):
            answer = ask(machine, who, symptom)
            verdict = answer["verdict"]
            said = f"{verdict['cause']} {verdict['active']} {verdict['strength']}" if verdict else answer["headline"][:90]
            yield Asking(name, who, bool(symptom), answer["status"], said, judge(recipe, answer))


def main() -> int:
    """Print every answer and the sums; 1 when a host that refuses was called healthy, or a healthy one accused."""
    parser = argparse.ArgumentParser(prog="tests.lab.field")
    parser.add_argument("--release", default="debian-12")
    parser.add_argument("recipes", nargs="*", default=list(RECIPES))
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    machine = lab.up(options.release, "field")
    try:
        for name in options.recipes:
            machine = lab.reset(machine)
            started = time.monotonic()
            for one in askings(machine, name):
                counts[one.verdict] += 1
                text = "text" if one.has_text else "-"
                print(f"{one.verdict:<22} {name:<24} {one.who:<5} {text:<5} {one.status:<13} {one.said}", flush=True)
            print(f"  {time.monotonic() - started:.0f} s", flush=True)
    finally:
        lab.down(machine.name)
    print(dict(counts))
    return 1 if counts["healthy_while_refused"] + counts["found_on_healthy"] + counts["denied"] else 0


if __name__ == "__main__":
    sys.exit(main())
