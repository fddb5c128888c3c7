"""A new action is two files and its line in `ACTIONS`: a toy is added to a copy of the product, and everything knows it."""

import difflib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.hang import GUARD_S
from tests.runbooks import CATALOG

ROOT = Path(__file__).parents[3]
TOY = ROOT / "tests" / "fixtures" / "toy_action"
REGISTRY = "tools/actions/__init__.py"
LINE = '    "unit_restart": unit_restart.ACTION,\n'
IMPORT = "    process_limit,\n"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the product with the toy: where a package `triagebook` is found."""
    library = tmp_path_factory.mktemp("product")
    for part in ("bot", "tools", "runbooks"):
        shutil.copytree(ROOT / part, library / "triagebook" / part, ignore=shutil.ignore_patterns("__pycache__"))
    for suffix in ("py", "sh"):
        shutil.copy(TOY / f"paint.{suffix}", library / "triagebook" / "tools" / "actions")
    registry = library / "triagebook" / REGISTRY
    text = registry.read_text()
    assert (text.count(LINE), text.count(IMPORT)) == (1, 1)
    registry.write_text(text.replace(LINE, f'{LINE}    "paint": paint.ACTION,\n').replace(IMPORT, f"    paint,\n{IMPORT}"))
    return library


def run(product: Path, *argv: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """A Python that finds that copy first."""
    known = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{product}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1", **env}
    return subprocess.run(
        (sys.executable, *argv), env=known, capture_output=True, text=True, check=False, timeout=GUARD_S, cwd=product
    )


def tried(product: Path, what: str, folder: Path) -> Any:
    """What the trial of that name printed."""
    done = run(product, str(TOY / "trial.py"), what, str(folder))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_no_other_file_is_touched(product: Path) -> None:
    touched = []
    for path in sorted((product / "triagebook").rglob("*")):
        name = path.relative_to(product / "triagebook")
        if path.is_file() and (not (ROOT / name).exists() or path.read_bytes() != (ROOT / name).read_bytes()):
            touched.append(str(name))
    assert touched == [REGISTRY, "tools/actions/paint.py", "tools/actions/paint.sh"]
    old, new = ((folder / REGISTRY).read_text().splitlines() for folder in (ROOT, product / "triagebook"))
    changed = [line for line in difflib.unified_diff(old, new, n=0, lineterm="") if line[:1] in "+-" and line[1:2] == " "]
    assert changed == ["+    paint,", '+    "paint": paint.ACTION,']


def test_the_helper_is_built_with_it(product: Path, tmp_path: Path) -> None:
    assert tried(product, "build", tmp_path) == {"has_it": True, "said": ["", ""]}


def test_its_order_is_rendered_and_the_helper_reads_it(product: Path, tmp_path: Path) -> None:
    assert tried(product, "order", tmp_path) == {
        "lines": ["action=paint", "step=live", "colour=green"],
        "read": {"action": "paint", "step": "live", "wanted": "green", "plan": "b" * 64},
    }


def test_a_word_that_it_does_not_have_is_refused_on_both_sides(product: Path, tmp_path: Path) -> None:
    found = tried(product, "refused", tmp_path)
    assert found["said"] == "colour: 'gren' is not possible (did you mean 'green'?)"
    assert (found["read"]["result"], found["read"]["reason"], found["read"]["detail"]) == ("refused", "order_value", "colour")


def test_the_commands_beside_an_offer_are_its_own(product: Path, tmp_path: Path) -> None:
    assert tried(product, "manual", tmp_path) == [[["echo", "green"]], [["echo", "none"]]]


@pytest.mark.skipif(os.geteuid() != 0, reason="the helper runs as root")
def test_the_helper_carries_it_out_and_takes_it_back(product: Path, tmp_path: Path) -> None:
    wanted = {"applied": "applied", "painted": "green\n", "undone": "undone", "is_there": False}
    assert tried(product, "host", tmp_path) == wanted


@pytest.mark.parametrize(
    ("colour", "complaint"),
    [
        ("green", ""),
        ("gren", "remediations[3].params.colour.default: colour: 'gren' is not possible (did you mean 'green'?)"),
    ],
)
def test_lint_knows_it(product: Path, tmp_path: Path, colour: str, complaint: str) -> None:
    text = (CATALOG.find("enomem@1.0.0").folder / "runbook.yaml").read_text().replace("id: enomem\n", "id: my-enomem\n", 1)
    before, _, rest = text.partition("    action: unit_limit\n")
    _, _, after = rest.partition("    requires:")
    params = f"    risk: medium\n    params:\n      colour: {{type: text, default: \"'{colour}'\"}}\n    requires:"
    offer = "{id: raise_unit_nproc, when: \"!it.is_login_session && it.unit.endsWith('.service')\""
    assert f"{offer}, with: {{unit: it.unit}}}}" in before
    before = before.replace(f"{offer}, with: {{unit: it.unit}}}}", f"{offer}}}")
    book = tmp_path / "books" / "my-enomem" / "1.0.0" / "runbook.yaml"
    book.parent.mkdir(parents=True)
    book.write_text(f"{before}    action: paint\n{params}{after}")
    (tmp_path / "triagebook").mkdir()
    (tmp_path / "triagebook" / "config.yaml").write_text(f"runbook_paths: [{tmp_path}/books]\n")
    folders = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    main = "from triagebook.bot.cli.app import main; main()"
    said = run(product, "-c", main, "runbook", "lint", "my-enomem", **folders).stdout
    assert "my-enomem@1.0.0: " in said  # it has no cases
    complaints = [line.partition(": ")[2] for line in said.splitlines() if line.startswith("my-enomem/1.0.0/")]
    assert complaints == [complaint] * bool(complaint)
