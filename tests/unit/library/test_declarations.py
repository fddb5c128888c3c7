"""What a runbook declares of a generic kind is checked before any host is read: shape, bounds, and what may not be read at all."""

from pathlib import Path

import pytest
from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.library.catalog import load_text
from triagebook.runbooks.library.schema import json_schema

FILE = Path(__file__).parents[2] / "fixtures" / "generic_runbook" / "semaphores" / "1.0.0" / "runbook.yaml"
TEXT = FILE.read_text()


def load(old: str = "", new: str = "") -> None:
    assert old in TEXT
    load_text(TEXT.replace(old, new, 1), "semaphores/1.0.0/runbook.yaml")


def test_a_runbook_of_generic_kinds_is_sound() -> None:
    load()
    assert "KeyDoc" in json_schema()["$defs"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "key: fs.aio-nr,",
            "key: ../../etc/passwd,",
            r":14: .*aio_used.key: '../../etc/passwd' is no key such as",
        ),
        ("key: fs.aio-nr,", "key: fss.aio-nr,", r":14: .*: /proc/sys has no 'fss' \(did you mean 'fs'\?\)"),
        (
            "key: fs.aio-nr,",
            "key: net.ipv4.tcp_fastopen_key,",
            r":14: .*tcp_fastopen_key' is not read: it holds a secret",
        ),
        ("key: fs.aio-nr,", "key: net.ipv6.conf.all.stable_secret,", "is not read: it holds a secret"),
        ("key: fs.aio-nr,", "key: 'fs.$(id)',", "is no key such as"),
        ("key: fs.aio-nr,", "kee: fs.aio-nr,", r":14: probes.limits.keys.aio_used.kee: unknown key 'kee' \(did you mean 'key'\?\)"),
        (
            "column: 2, unit: sem",
            "column: 99, unit: sem",
            r":16: .*column: .*less than or equal to 16",
        ),
        ("file: /proc/sysvipc/sem", "file: /etc/shadow", r":20: probes.sets.file: '/etc/shadow' is no file below /proc"),
        ("file: /proc/sysvipc/sem", "file: /proc/../etc/shadow", "is no file below /proc"),
        ("file: /proc/sysvipc/sem", "file: /proc/1/environ", "is no file below /proc"),
        ("file: /proc/sysvipc/sem", "file: /proc/self/environ", "is no table of the host"),
        ("file: /proc/sysvipc/sem", "file: /proc/kmsg", "is no table of the host"),
        ("file: /proc/sysvipc/sem", "file: /proc/net/tcp", "or costs too much to read"),
        ("identity: id", "identity: idd", r"probes.sets.identity: no column 'idd' \(did you mean 'id'\?\)"),
        ("rows: 5", "rows: 5000", "from 1 to 100 rows are printed"),
        (
            "row: Max stack size",
            "row: Max stak size",
            r":29: .*row: no row 'Max stak size' \(did you mean 'Max stack size'\?\)",
        ),
        ("use: VmStk", "use: VmStack", r"no use 'VmStack' \(did you mean 'VmStk'\?\)"),
        ("near_percent: 80", "near_percent: 800", "probes.stacks.near_percent: from 1 to 100"),
        ("near_percent: 80", "rows: 8", r"the kind 'rlimits' takes no 'rows' \(it takes row, use, near_percent\)"),
        ("    identity: id\n", "", "probes.sets: the kind 'proc_table' needs 'identity'"),
        ("kind: sysctl", "kind: sysctll", "the kind 'sysctll' takes no 'keys'"),
        ("kind: sysctl", "kind: meminfo", "the kind 'meminfo' takes no 'keys'"),
        ("limits.aio_used >=", "limits.aio_usedd >=", r"unknown fact 'limits.aio_usedd' \(did you mean 'limits.aio_used'\?\)"),
        ("it.semaphores * 2", "it.semaphore * 2", r"unknown fact 'it.semaphore' \(did you mean 'it.semaphores'\?\)"),
    ],
)
def test_a_wrong_declaration_is_refused_with_its_line_and_the_nearest_word(old: str, new: str, says: str) -> None:
    with pytest.raises(RunbookError, match=says):
        load(old, new)
