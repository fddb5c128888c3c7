"""Every link from one page of the project to another leads to a page and a heading; every case that a page names is there."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.command import ROOT
from tests.pages import FENCED, anchors

LISTED = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
PAGES = [ROOT / name for name in LISTED if not name.startswith("tests/") and (ROOT / name).is_file()]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_leads_somewhere(page: Path) -> None:
    for found in LINK.finditer(FENCED.sub("", page.read_text())):
        link = found[1] or found[2]
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link}: it has {', '.join(sorted(anchors(target)))}"


def test_every_public_address_of_ours_leads_to_a_page_and_its_heading() -> None:
    """In units, rules, packages and manifests, where no link of a page is: each names a file as it is on the main branch."""
    argv = ["git", "grep", "-hoEI", r"https://github\.com/triagebook/triagebook/(blob|tree)/main/[^ \"'>)]+", "--", ":!tests"]
    found = set(subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())
    assert len(found) > 8
    for address in found:
        name, _, anchor = address.partition("/main/")[2].partition("#")
        assert (ROOT / name).exists(), address
        assert not anchor or anchor in anchors(ROOT / name), address


@pytest.mark.parametrize("unit", sorted((ROOT / "deploy" / "systemd").iterdir()), ids=lambda unit: unit.name)
def test_a_unit_says_where_its_page_is(unit: Path) -> None:
    assert "\nDocumentation=https://github.com/triagebook/triagebook/blob/main/docs/" in unit.read_text()


def test_every_recorded_case_that_a_page_names_exists() -> None:
    cases = {file.stem for file in (ROOT / "runbooks").glob("*/*/cases/*.yaml")} | {"NAME", "CASE", "one-user-has-them", "nosuch"}
    for page in PAGES:
        text = page.read_text()
        written = set(re.findall(r'title="\S+/cases/([\w.-]+)\.yaml"', text))  # by the reader of this page
        named = set(re.findall(r"replay:([\w.-]+)", text)) - written
        assert named <= cases, f"{page.relative_to(ROOT)}: {named - cases}"


def test_every_page_of_the_site_has_its_place_in_the_navigation() -> None:
    listed = set(re.findall(r": ([\w./-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    made = ("causes/", "adr/")  # by tests/reference/site_hooks.py
    there = {str(page.relative_to(ROOT / "docs")) for page in PAGES if (ROOT / "docs") in page.parents}
    assert listed == {name for name in there if name == "index.md" or ("/" in name and not name.startswith(made))}
