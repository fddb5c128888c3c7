"""Many hosts over real sshd servers: none lost, none mixed up, silent ones cost the others nothing, memory stays small."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import sshd
from tests.command import ONE, Triagebook, environment
from tests.hang import GUARD_S
from tests.system.scenario.test_over_ssh import server_that

HOSTS = 220
A_RUN = 110  # of them in `make test`
PATIENT = ("--timeout", "120")  # three servers on a busy machine keep some of them waiting for longer than eight seconds


@dataclass(frozen=True)
class Site:
    """Many names, few servers; the host key of each server tells which one answered."""

    config: Path
    servers: dict[str, str]  # name -> alias of its server
    keys: dict[str, str]  # alias -> fingerprint


@pytest.fixture(scope="module")
def site(place: sshd.Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    kinds = {"box0": "ed25519", "box1": "ecdsa", "box2": "rsa"}
    with ExitStack() as stack:
        options = {"MaxStartups": "1000"}
        boxes = [stack.enter_context(place.sshd(options, alias=alias, host_keys=(kind,))) for alias, kind in kinds.items()]
        known = tmp_path_factory.mktemp("site") / "known_hosts"
        known.write_text("".join(box.known_hosts.read_text() for box in boxes))
        names = {f"h{number:03}": boxes[number * 7 % 3] for number in range(HOSTS)}
        lines = [f"Host {name}\n  HostName 127.0.0.1\n  Port {box.port}" for name, box in names.items()]
        lines += [f"Host *\n  User {place.user}\n  IdentityFile {place.user_key}\n  IdentitiesOnly yes\n  IdentityAgent none"]
        lines += [f"  UserKnownHostsFile {known}\n  GlobalKnownHostsFile /dev/null\n"]
        config = known.with_name("config")
        config.write_text("\n".join(lines))
        keys = {}
        for alias, kind in kinds.items():
            shown = subprocess.run(["ssh-keygen", "-lf", place.host_key(kind)], capture_output=True, text=True, check=True)
            keys[alias] = shown.stdout.split()[1]
        yield Site(config, {name: box.alias for name, box in names.items()}, keys)


@dataclass(frozen=True)
class Measured:
    """What a run of `diagnose` printed, and the most memory it had."""

    lines: list[dict[str, Any]]
    peak_mib: float


def measured(home: Path, *arguments: str) -> Measured:
    measure = (
        "import resource,sys\nfrom triagebook.bot.cli.app import main\ntry:\n    main()\nfinally:\n"
        "    sys.stderr.write(f'peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", measure, "diagnose", *arguments, "--json"],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=GUARD_S,
    )
    peak = int(done.stderr.rsplit("peak ", 1)[1]) / 1024
    return Measured([json.loads(line) for line in done.stdout.splitlines()], peak)


@pytest.fixture(scope="module", params=[A_RUN, pytest.param(HOSTS, marks=pytest.mark.long)])
def everybody(site: Site, triagebook: Triagebook, request: pytest.FixtureRequest) -> Measured:
    """One run over so many hosts, looked at by two tests."""
    triagebook("diagnose", "replay:healthy")  # from here on the runbook is cached: reading it takes memory
    names = ["@all"] if request.param == HOSTS else list(site.servers)[: request.param]
    return measured(triagebook.home, *names, "-F", str(site.config), *PATIENT)


def test_of_many_hosts_none_is_lost_and_none_is_another(site: Site, everybody: Measured) -> None:
    lines = everybody.lines
    told = [line for line in lines if line["host"]["name"] in site.servers]
    assert len(told) in {A_RUN, HOSTS}
    answered = {line["host"]["name"]: line["diagnoses"][0]["target"]["host_key"] for line in told}
    assert len(lines) == len({line["host"]["name"] for line in lines})
    assert answered == {name: site.keys[alias] for name, alias in list(site.servers.items())[: len(told)]}


def test_one_table_tells_of_all_of_them(triagebook: Triagebook, site: Site) -> None:
    names = list(site.servers)[:30]
    run = triagebook("diagnose", *names, "no.such.host.invalid", "-F", str(site.config), *PATIENT)
    assert run.status == 4
    table, _, rest = run.out.partition("\n\n")
    assert "UNREACHABLE  no address for this name" in table
    assert sum(int(line.split()[0]) for line in table.splitlines() if line.split()[0].isdigit()) == 31
    assert rest.startswith("31 hosts: ")


def with_silent(site: Site, port: int, folder: Path, count: int) -> tuple[Path, list[str]]:
    silent = [f"silent{number}" for number in range(count)]
    config = folder / "config"
    config.write_text("".join(f"Host {name}\n  HostName 127.0.0.1\n  Port {port}\n" for name in silent) + site.config.read_text())
    return config, silent


def test_one_silent_host_in_ten_costs_the_others_nothing(triagebook: Triagebook, site: Site, tmp_path: Path) -> None:
    names = list(site.servers)[:90]
    with server_that("is silent") as port:
        config, silent = with_silent(site, port, tmp_path, 10)
        mixed = [name for pair in zip(names[::9], silent, strict=True) for name in pair] + [n for n in names if n not in names[::9]]
        run = triagebook("diagnose", *mixed, "-F", str(config), *ONE)
    order = [line["host"]["name"] in silent for line in run.json()]  # as they came to their end
    assert (len(order), sum(order)) == (100, 10)
    # A silent host is given up after eight seconds; a busy machine takes as long for all the others, but never for half of them.
    assert not any(order[: len(names) // 2]), "a host was answered only after a silent one had been given up"


def test_a_budget_stops_a_fleet_whose_keys_are_refused_and_every_host_has_a_line(
    triagebook: Triagebook, site: Site, tmp_path: Path
) -> None:
    other = sshd.make_key(tmp_path / "other")
    config = tmp_path / "config"
    text = site.config.read_text()
    config.write_text("\n".join(f"  IdentityFile {other}" if "IdentityFile" in line else line for line in text.split("\n")))
    run = triagebook("diagnose", *site.servers, "-F", str(config), *ONE, "--max-errors", "5", "--at-once", "4")
    counts = Counter(line["status"] for line in run.json())
    assert run.status == 4
    assert 5 <= counts["unreachable"] <= 9
    assert counts["not_asked"] == HOSTS - counts["unreachable"]
    assert "hosts were not diagnosed" in run.err


def test_drift_of_a_group_compares_every_host_of_it(triagebook: Triagebook, site: Site) -> None:
    names = list(site.servers)[:12]
    run = triagebook("host", "drift", *names, "-F", str(site.config), "--json")
    rows = {row["setting"]: row for row in run.json()}
    assert run.status == 0, run.out
    assert rows["kernel.pid_max"]["usual"] == int(Path("/proc/sys/kernel/pid_max").read_text())
    assert rows["kernel.pid_max"]["usual_hosts"] == 12
    assert rows["transparent huge pages"]["usual_hosts"] == 12
    assert [row for name, row in rows.items() if name.startswith("digest of /etc/")]
    text = triagebook("host", "drift", *names, "-F", str(site.config))
    assert "Equal on all 12" in text.out


def test_the_hosts_of_ssh_config_are_listed(triagebook: Triagebook, site: Site) -> None:
    run = triagebook("host", "list", "-F", str(site.config), "--json")
    assert {line["host"] for line in run.json()} == set(site.servers)
    wrong = triagebook("host", "list", "wep", "-F", str(site.config))
    assert (wrong.status, "no group 'wep'" in wrong.err) == (2, True)


def test_memory_grows_little_with_the_number_of_hosts(triagebook: Triagebook, site: Site, everybody: Measured) -> None:
    few = measured(triagebook.home, *list(site.servers)[:2], "-F", str(site.config))
    assert everybody.peak_mib - few.peak_mib < 0.12 * len(everybody.lines), f"{few.peak_mib} and {everybody.peak_mib} MiB"
