"""`triagebook site init|add|list` as a person runs it: what is printed, what is written, and what is refused in words."""

import re
from pathlib import Path

import pytest
from triagebook.tools.sites import wire
from triagebook.tools.sites.credentials import read_credentials, user_lines

from tests.command import Triagebook


def seed_in(text: str) -> re.Match[str] | None:
    """The secret half of a user's key; its public half begins with U and may hold any two letters."""
    return re.search(r"\bSU[A-Z2-7]{56}\b", text)


@pytest.fixture
def person(tmp_path: Path) -> Triagebook:
    return Triagebook(tmp_path)


def configured(home: Path, inventory: str, sites: str = "") -> None:
    folder = home / ".config" / "triagebook"
    folder.mkdir(parents=True)
    (folder / "inventory.yaml").write_text(inventory)
    (folder / "config.yaml").write_text(f"sites: {sites}\n" if sites else "{}\n")


def test_init_and_add_write_a_key_and_print_only_the_lines_of_its_user(person: Triagebook) -> None:
    for argv, file, may in (
        (("init", "server.creds"), "server.creds", wire.server_permissions()),
        (("add", "eu1"), "eu1.creds", wire.site_permissions("eu1")),
        (("add", "eu2", "--creds", "other"), "other", wire.site_permissions("eu2")),
    ):
        run = person("site", *argv)
        key = read_credentials(person.home / file).key
        assert (run.status, run.out) == (0, user_lines(key.public, may))
        assert run.err.startswith(f"Wrote {file}. ")
        assert "nats-server --signal reload" in run.err
        assert seed_in(run.out + run.err) is None, "the secret is in the file only"
        assert seed_in((person.home / file).read_text())


@pytest.mark.parametrize(
    ("argv", "status", "says"),
    [
        (("add", "eu1.>"), 2, "'eu1.>' is not a site: letters, digits, '_' and '-', at most 63"),
        (("add", "eu1", "--creds", "no/such/folder"), 2, "cannot write no/such/folder: No such file or directory"),
        (("init", "there"), 2, "there: is there already, and is not overwritten; name another file, or remove that one first"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_written(
    person: Triagebook, argv: tuple[str, ...], status: int, says: str
) -> None:
    (person.home / "there").write_text("mine")
    run = person("site", *argv)
    assert (run.status, run.out) == (status, "")
    assert says in run.err
    assert [path.name for path in person.home.iterdir() if path.name != ".cache"] == ["there"]
    assert (person.home / "there").read_text() == "mine"


def test_list_says_what_is_missing_before_it_asks(person: Triagebook) -> None:
    configured(person.home, "hosts: {web01: , web02: {site: eu1}}\n")
    run = person("site", "list")
    assert (run.status, run.out) == (2, "")
    assert "config.yaml does not say how: add `sites: {nats: tls://HOST:4222, credentials: FILE}`" in run.err


def test_list_of_an_inventory_without_sites_says_how_one_is_written(person: Triagebook) -> None:
    configured(person.home, "hosts: {web01: }\n")
    run = person("site", "list")
    assert (run.status, run.out) == (2, "")
    assert "no host of the inventory has a site; write `site: NAME` at a host or a group of it" in run.err


def test_list_without_a_nats_server_says_which_one_is_not_reached(person: Triagebook) -> None:
    assert person("site", "init", "key").status == 0
    configured(person.home, "hosts: {web01: {site: eu1}}\n", f"{{nats: 'nats://127.0.0.1:1', credentials: {person.home}/key}}")
    run = person("site", "list")
    assert (run.status, run.out) == (4, "")
    assert "no connection to the NATS server nats://127.0.0.1:1 since " in run.err
