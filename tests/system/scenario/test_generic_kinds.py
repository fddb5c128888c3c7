"""A runbook of one folder, without Python: its declared settings, table and limits are read over a real sshd, as here."""

from pathlib import Path

from tests import sshd
from tests.command import ROOT, Triagebook


def test_a_folder_with_a_runbook_is_enough_to_read_what_it_declares(tmp_path: Path, box: sshd.Server) -> None:
    triagebook = Triagebook(tmp_path)
    config = tmp_path / ".config" / "triagebook" / "config.yaml"
    config.parent.mkdir(parents=True)
    config.write_text(f"runbook_paths: [{ROOT / 'tests' / 'fixtures' / 'generic_runbook'}]\n")
    most = int(Path("/proc/sys/fs/aio-max-nr").read_text())
    for words in (("box", "-F", str(box.config)), ("localhost",)):
        run = triagebook("diagnose", *words, "-r", "semaphores", "--json")
        (found,) = run.json()
        assert (run.status, found["status"]) == (0, "healthy"), found["headline"]
        assert f"of {most} asynchronous requests" in found["headline"]
        assert found["target"]["forks"] == 0
        aio = next(check for check in found["checks"] if check["id"] == "aio")
        assert {figure["source"] for figure in aio["figures"]} == {"/proc/sys/fs/aio-nr", "/proc/sys/fs/aio-max-nr"}
    refused = triagebook("diagnose", "localhost", "--json")  # a draft is asked when it is named only
    assert [item["runbook"]["id"] for item in refused.json()[0]["asked"]].count("semaphores") == 0
