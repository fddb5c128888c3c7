"""The site of a host: said at it or at a group, in inventory.yaml, with file and line where it is wrong."""

from pathlib import Path

import pytest
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.inventory.inventory import merge, read_inventory

GOOD = """\
hosts:
  web01:
  db01: {ssh: admin@10.0.0.7, site: us1}
groups:
  frankfurt: {hosts: [web02, db01], site: eu1}
  europe: {groups: [frankfurt], accept_unknown: [max_map_count]}
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "hosts.yaml"
    file.write_text(text)
    return file


def test_a_host_is_of_its_own_site_or_of_its_groups_or_of_none(tmp_path: Path) -> None:
    hosts = read_inventory(written(tmp_path, GOOD)).hosts
    assert {name: entry.site for name, entry in hosts.items()} == {"web01": "", "db01": "us1", "web02": "eu1"}
    assert hosts["db01"].target.site == "us1"
    assert (hosts["web02"].target.site, hosts["web02"].target.accept) == ("eu1", ("max_map_count",))


def test_the_first_source_that_gives_a_site_is_right(tmp_path: Path) -> None:
    first = read_inventory(written(tmp_path, "hosts: {a: {site: eu1}, b: }\n"))
    second = read_inventory(written(tmp_path, "hosts: {a: {site: us1}, b: {site: us1}}\n"))
    assert {name: entry.site for name, entry in merge([first, second]).hosts.items()} == {"a": "eu1", "b": "us1"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hosts:\n  a: {sit: eu1}\n", "hosts.yaml:2: hosts.a.sit: unknown key (did you mean 'site'?)"),
        ("hosts:\n  a: {site: 7}\n", "hosts.yaml:2: hosts.a.site: 7 is not a site"),
        ("hosts:\n  a: {site: 'eu1.>'}\n", "hosts.yaml:2: hosts.a.site: 'eu1.>' is not a site"),
        ("hosts:\n  a: {site: '*'}\n", "hosts.yaml:2: hosts.a.site: '*' is not a site"),
        ("groups:\n  g: {hosts: [a], sites: eu1}\n", "hosts.yaml:2: groups.g.sites: unknown key (did you mean 'site'?)"),
        (
            "groups:\n  g: {hosts: [a], site: eu1}\n  h: {hosts: [a], site: us1}\n",
            "hosts.yaml:3: groups.h: 'a' is of site 'eu1' by another group already: say it at the host",
        ),
    ],
)
def test_a_wrong_site_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as refusal:
        read_inventory(written(tmp_path, text))
    assert said in str(refusal.value)
