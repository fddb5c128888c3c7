"""What the pages say to a newcomer holds: one list of extras, paths that a unit reads, inventories without a warning."""

import re
import tomllib
from pathlib import Path

import pytest
from triagebook.tools.inventory.inventory import read_inventory

from tests.command import ROOT

PAGES = sorted(page for folder in ("how-to", "tutorials") for page in (ROOT / "docs" / folder).glob("*.md"))
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
INVENTORY = re.compile(r"^```yaml[^\n]*\n((?:#[^\n]*\n)?hosts:.*?)^```$", re.MULTILINE | re.DOTALL)
OURS = re.compile(r"/(?:etc|var/lib|opt|run)/triagebook[-a-z]*(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")
MADE_BY_HAND = {  # by a command of a page, or by a person where the page says so
    *("/etc/triagebook-serve/environment", "/var/lib/triagebook/alerts.yaml", "/var/lib/triagebook/prometheus.token"),
    *("/var/lib/triagebook/slack.bot", "/var/lib/triagebook/slack.app", "/var/lib/triagebook/.config/triagebook"),
    *("/var/lib/triagebook/.config/triagebook/config.yaml", "/var/lib/triagebook/known_hosts"),
}


def test_every_extra_is_in_the_one_list_of_them() -> None:
    listed = re.findall(r"^\| `(\w+)` \| ", (ROOT / "docs" / "how-to" / "install.md").read_text(), re.MULTILINE)
    assert listed == sorted(EXTRAS)
    elsewhere = [page.name for page in PAGES if page.name != "install.md" and "| `postgresql` |" in page.read_text()]
    assert not elsewhere


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_installs_from_a_checkout_since_no_index_has_the_product(page: Path) -> None:
    assert not re.findall(r"install[^\n]* '?triagebook(?:\[|'|$)", page.read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", [page for page in PAGES if INVENTORY.search(page.read_text())], ids=lambda page: page.name)
def test_an_inventory_that_a_page_shows_is_read_without_a_warning(page: Path, tmp_path: Path) -> None:
    for number, text in enumerate(INVENTORY.findall(page.read_text())):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text)
        read = read_inventory(file)
        assert read.hosts
        assert not read.warnings


def test_a_path_that_a_page_names_is_one_that_a_unit_reads_or_that_a_page_makes() -> None:
    units = [file.read_text() for file in (ROOT / "deploy" / "systemd").iterdir()]
    binaries = [path for text in units for path in re.findall(r"^ExecStart=(\S+)/bin/triagebook ", text, re.MULTILINE)]
    pages = "".join(page.read_text() for page in PAGES)
    assert not [path for path in binaries if not re.search(rf"^python3 -m venv {path}$", pages, re.MULTILINE)]
    source = (ROOT / "tools" / "server" / "setup.py").read_text()
    known = (
        {path for text in (*units, source) for path in OURS.findall(text)} | MADE_BY_HAND | {f"{path}/bin/pip" for path in binaries}
    )
    for page in PAGES:
        named = {path.rstrip(".") for path in OURS.findall(page.read_text())}
        assert not {path for path in named if not any(other == path or other.startswith(f"{path}/") for other in known)}, page.name
