"""Files that somebody hands over to be checked or compared: exports, incident records, saved answers. Each is read or refused."""

import io
import json
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from triagebook.bot.render.record import find_difference, read_record
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.audit.export import verify_export
from triagebook.tools.audit.note import vkey_of
from triagebook.tools.audit.record import check_record
from triagebook.tools.diagnosis.answer_files import read_saved

KEY = vkey_of("x", Ed25519PrivateKey.from_private_bytes(b"k" * 32).public_key())
ROW = {"index": 0, "leaf": "{}", "hash": "00" * 32}
DEEP = "[" * 50_000 + "]" * 50_000
ODD_LINES = [
    *(json.dumps(ROW | {"index": index}) for index in ("x", None, 1.5, True, [], 10**30, -1, "0")),
    *(json.dumps(ROW | {"leaf": leaf}) for leaf in (5, None, "\ud800", DEEP, "", {})),
    *(json.dumps(ROW | {"hash": found}) for found in ("", "zz", 5, None, "00" * 31)),
    *(json.dumps({"checkpoint": note}) for note in (5, None, [], "", "\ud800", "a\n\n\u2014 x A")),
    *(DEEP, "[1]", "null", "7", '"x"', "{}", '{"checkpoint": ' + DEEP + "}", "\0"),
]


@pytest.mark.parametrize("line", ODD_LINES, ids=range(len(ODD_LINES)))
def test_an_odd_line_of_an_export_is_a_problem_and_no_crash(line: str) -> None:
    report = verify_export([json.dumps(ROW), line], KEY)
    assert not report["holds"]
    with suppress(UsageError):  # the first line says whether it is an export at all
        assert not verify_export([line], KEY)["holds"]


@pytest.mark.parametrize("name", ["schema", "seal", "host"])
def test_a_deep_incident_record_is_refused(name: str) -> None:
    """Of all depths: one that can still be read may be too deep to be written again, for its digest."""
    record = {"schema": "triagebook/record/v1", "checkpoint": "", "lines": [], "seal": {}} | {name: "DEEP"}
    for depth in (50_000, *range(1_000, 850, -1)):
        text = json.dumps(record).replace('"DEEP"', "[" * depth + "]" * depth)
        with suppress(UsageError):
            form, found = read_record(text)
            find_difference(text, found, form)
            assert not check_record(found, KEY).holds


@pytest.mark.parametrize("text", [DEEP, '{"schema": "triagebook/diagnosis/v1", "checks": ' + DEEP + "}", '{"a": 1}\n' + DEEP])
def test_a_deep_answer_is_refused_with_its_place(text: str, tmp_path: Path) -> None:
    (tmp_path / "saved.json").write_text(text)
    with pytest.raises(UsageError, match=r"saved\.json:\d+"):
        read_saved(str(tmp_path / "saved.json"), io.StringIO())
