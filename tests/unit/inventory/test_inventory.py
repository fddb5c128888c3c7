"""Inventories: our own file and its refusals, the names of ssh_config, Ansible's JSON, and groups on a command line."""

import os
import shutil
from pathlib import Path

import pytest
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.inventory.inventory import Inventory, InventoryHost, merge, read_inventory
from triagebook.tools.inventory.sources import expand, from_ansible, from_ssh_config, parse_ansible
from triagebook.tools.settings import read_settings
from triagebook.tools.ssh.config import LocalAccount

from tests.command import ROOT

ANSIBLE_INVENTORY = shutil.which("ansible-inventory") or shutil.which(
    "ansible-inventory", path=str(ROOT / ".cache" / "peers" / "ansible" / "bin")
)
GOOD = """\
hosts:
  web01:
  db01: {ssh: admin@10.0.0.7:2222}
groups:
  web: [web01, web02]
  europe: {hosts: [db01], groups: [web]}
"""


def written(folder: Path, text: str, name: str = "hosts.yaml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_groups_hold_hosts_and_groups_and_each_host_once(tmp_path: Path) -> None:
    inventory = read_inventory(written(tmp_path, GOOD))
    assert [entry.name for entry in inventory.of("europe")] == ["db01", "web01", "web02"]
    assert [entry.name for entry in inventory.of("all")] == ["web01", "db01", "web02"]
    assert inventory.hosts["db01"].target.reach == "admin@10.0.0.7:2222"
    assert inventory.hosts["db01"].target.text == "db01"
    assert inventory.groups_of("web01") == ("web",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("host: [web01]\n", "hosts.yaml:1: host: unknown key (did you mean 'hosts'?)"),
        ("hosts:\n  a:\n  a:\n", "hosts.yaml:3: hosts.a: the key stands here twice"),
        ("hosts:\n  a: {shh: b}\n", "hosts.yaml:2: hosts.a.shh: unknown key (did you mean 'ssh'?)"),
        ("hosts: [web01, web01]\n", "hosts.yaml:1: hosts[1]: 'web01' stands here twice"),
        (
            "groups:\n  web: [a]\n  all-web: {groups: [wev]}\n",
            "hosts.yaml:3: groups.all-web.groups[0]: no group 'wev' (did you mean 'web'?)",
        ),
        ("groups:\n  a: {groups: [b]}\n  b: {groups: [a]}\n", "hosts.yaml:2: groups.a: is in itself: a > b > a"),
        ("hosts: ['-oProxyCommand=x']\n", "hosts.yaml:1: hosts[0]: '-oProxyCommand=x' is not a name"),
        ("hosts:\n  a: {ssh: '-oProxyCommand=x'}\n", "hosts.yaml:2: hosts.a.ssh: '-oProxyCommand=x' is not a host"),
        ("groups:\n  all: [a]\n", "hosts.yaml:2: groups.all: 'all' is every host already"),
        ("hosts: &x [a]\n", "hosts.yaml:1: (top): anchors and aliases"),
        ("groups:\n  web: a\n", "hosts.yaml:2: groups.web: expected the keys hosts, groups"),
        ("groups:\n  web: [7]\n", "hosts.yaml:2: groups.web[0]: 7 is not a name"),
    ],
)
def test_a_wrong_inventory_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as refusal:
        read_inventory(written(tmp_path, text))
    assert said in str(refusal.value)


def test_an_unknown_group_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'europe'"):
        read_inventory(written(tmp_path, GOOD)).of("eurpe")


def test_ssh_config_gives_the_names_without_patterns_also_of_included_files(tmp_path: Path) -> None:
    ssh = tmp_path / ".ssh"
    ssh.mkdir()
    (ssh / "more").write_text("Host db01\n  User admin\n")
    (ssh / "config").write_text("Include more\nHost web01 web02\n  Port 22\nHost *.example !no ?\nHost *\n  User me\n")
    found = from_ssh_config(account=LocalAccount("me", tmp_path))
    assert {"db01", "web01", "web02"} <= set(found.hosts)
    assert not [name for name in found.hosts if set("*?!") & set(name)]
    assert not {"no", ".example"} & set(found.hosts), "what is negated or a pattern is no name without its sign either"


ANSIBLE = {
    "_meta": {
        "hostvars": {
            "web01": {"ansible_host": "10.0.0.1", "ansible_user": "deploy", "ansible_port": 2222},
            "web02": {"ansible_user": "-oProxyCommand=x"},
        }
    },
    "all": {"children": ["ungrouped", "web", "europe"]},
    "europe": {"children": ["web"]},
    "web": {"hosts": ["web01", "web02", "bad name"]},
    "ungrouped": {"hosts": ["lone"]},
}


def test_ansible_groups_and_addresses_are_taken_over_and_hostile_ones_left_out() -> None:
    found = parse_ansible(ANSIBLE, "ansible:x")
    assert {name: entry.ssh for name, entry in found.hosts.items()} == {
        "web01": "deploy@10.0.0.1:2222",
        "web02": "",
        "lone": "",
    }
    assert [entry.name for entry in found.of("europe")] == ["web01", "web02"]


def test_ansible_inventory_is_run_with_a_fixed_argv(tmp_path: Path) -> None:
    program = written(
        tmp_path, '#!/bin/sh\nprintf \'{"web": {"hosts": ["%s"]}}\' "$(echo "$1$2$3" | tr -c a-z. .)"\n', "ansible-inventory"
    )
    program.chmod(0o755)
    found = from_ansible(Path("inv; rm -rf x"), str(program))
    assert list(found.hosts) == []  # a name with ".." at its start is none
    failing = written(tmp_path, "#!/bin/sh\necho 'ERROR! no such inventory' >&2\nexit 4\n", "failing")
    failing.chmod(0o755)
    with pytest.raises(UsageError, match="exit status 4: ERROR! no such inventory"):
        from_ansible(Path("x"), str(failing))
    with pytest.raises(UsageError, match="ansible-core"):
        from_ansible(Path("x"), str(tmp_path / "absent"))


@pytest.mark.skipif(ANSIBLE_INVENTORY is None, reason="no ansible-inventory here (`make peers` installs it)")
def test_a_real_inventory_of_ansible_is_read_by_its_own_program(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.ini"
    inventory.write_text(
        "[web]\nweb[01:02] ansible_user=deploy\n[db]\ndb01 ansible_host=10.0.0.7 ansible_port=2222\n[europe:children]\nweb\ndb\n"
    )
    assert ANSIBLE_INVENTORY is not None
    found = from_ansible(inventory, ANSIBLE_INVENTORY)
    reach = {entry.name: entry.ssh for entry in found.of("europe")}
    assert reach == {"web01": "deploy@web01", "web02": "deploy@web02", "db01": "10.0.0.7:2222"}
    assert [entry.name for entry in found.of("db")] == ["db01"]


def test_the_same_host_of_two_sources_is_one(tmp_path: Path) -> None:
    other = Inventory({"web01": InventoryHost("web01", "root@elsewhere", ("ansible:x",))}, {"web": (("web01",), ())})
    merged = merge((read_inventory(written(tmp_path, GOOD)), other))
    assert merged.hosts["web01"].ssh == "root@elsewhere"
    assert merged.hosts["web01"].sources[-1] == "ansible:x"
    assert merged.groups["web"][0] == ("web01", "web02")


def test_words_of_a_command_line_become_targets_each_once(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD)
    targets = expand(["db01", "@web", "web01", "me@other"], [str(file)])
    assert [(target.text, target.reach) for target in targets] == [
        ("db01", "admin@10.0.0.7:2222"),
        ("web01", "web01"),
        ("web02", "web02"),
        ("me@other", "me@other"),
    ]
    with pytest.raises(UsageError, match="no group 'wep'"):
        expand(["@wep"], [str(file)])


def test_the_inventory_is_configured_or_stands_beside_the_configuration(tmp_path: Path) -> None:
    folder = tmp_path / "triagebook"
    folder.mkdir()
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    assert read_settings(environment).inventory == ("ssh_config",)
    beside = written(folder, GOOD, "inventory.yaml")
    assert read_settings(environment).inventory == (str(beside), "ssh_config")
    written(folder, "inventory: [a.yaml, 'ansible:b']\n", "config.yaml")
    assert read_settings(environment).inventory == (str(folder / "a.yaml"), f"ansible:{folder / 'b'}")
    written(folder, "inventori: [a.yaml]\n", "config.yaml")
    with pytest.raises(UsageError, match="did you mean 'inventory'"):
        read_settings(environment)


def test_names_may_stand_in_a_list_or_as_bare_keys(tmp_path: Path) -> None:
    listed = read_inventory(written(tmp_path, "hosts: [web01]\ngroups: [empty]\n"))
    bare = read_inventory(written(tmp_path, "hosts:\n  web01:\ngroups:\n  empty:\n"))
    assert listed == bare
    assert (list(listed.hosts), listed.groups) == (["web01"], {"empty": ((), ())})
    with pytest.raises(UsageError, match=r"hosts\.web01: expected the keys ssh"):
        read_inventory(written(tmp_path, "hosts:\n  web01: web01\n"))


def test_a_host_that_only_a_group_names_is_doubtful_where_hosts_are_listed(tmp_path: Path) -> None:
    file = tmp_path / "inventory.yaml"
    file.write_text("hosts: [web01]\ngroups: {web: [web01, web0l]}\n")
    found = read_inventory(file)
    assert found.warnings == (
        f"{file}:2: groups.web[1]: group 'web' names 'web0l', which `hosts` does not (did you mean 'web01'?)",
    )
    assert set(found.hosts) == {"web01", "web0l"}
    file.write_text("groups: {web: [web01, web02]}\n")
    assert read_inventory(file).warnings == ()
