"""`triagebook watch` against a real sshd: it keeps one session, lends it to diagnose, renews it, and costs the host little."""

import contextlib
import os
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest
from triagebook.tools.collector import collect

from tests import sshd
from tests.command import Triagebook
from tests.hang import GUARD_S
from tests.runbooks import CATALOG
from tests.system.scenario.watch_process import watching


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """XDG_RUNTIME_DIR."""
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    return folder


def logins(server: sshd.Server) -> int:
    return server.log().count("Accepted publickey")


def test_samples_come_by_one_session_and_one_login(triagebook: Triagebook, place: sshd.Ground, run_folder: Path) -> None:
    with place.sshd() as server:
        run = triagebook(
            "watch", "box", "-F", str(server.config), "--every", "1", "--samples", "2", "--json", XDG_RUNTIME_DIR=str(run_folder)
        )
        assert logins(server) == 1
    lines = run.json()
    assert [line["sample"] for line in lines] == [1, 2]
    assert {line["host"] for line in lines} == {"box"}
    assert lines[-1]["cost"]["cpu_ms"] > lines[0]["cost"]["cpu_ms"] > 0
    assert (run.status, run.err) == (0, "")
    assert list((run_folder / "triagebook").iterdir()) == []


@pytest.mark.long
def test_a_sample_that_comes_late_is_waited_for_as_long_as_was_said(
    triagebook: Triagebook, place: sshd.Ground, run_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "triagebook").mkdir()
    (tmp_path / "triagebook" / "config.yaml").write_text("timeout: 60\n")
    slow = f'sleep {collect.SampleTimeouts().first_sample_s + 2}; eval "$SSH_ORIGINAL_COMMAND"'
    where = {"XDG_RUNTIME_DIR": str(run_folder), "XDG_CONFIG_HOME": str(tmp_path)}
    with place.sshd({"ForceCommand": slow}) as server:
        run = triagebook("watch", "box", "--samples", "1", "-F", str(server.config), **where)
    assert run.status == 0
    assert run.out
    assert not [words for words in ("did not come", "user_nproc") if words in run.out], run.out


def test_diagnose_goes_through_the_open_session_though_nobody_can_log_in_any_more(
    triagebook: Triagebook, place: sshd.Ground, run_folder: Path
) -> None:
    where = {"XDG_RUNTIME_DIR": str(run_folder)}
    with place.sshd() as server, watching(triagebook.home, "box", "-F", str(server.config), **where) as watch:
        watch.wait(lambda lines: len(lines) > 0)
        (found,) = (run_folder / "triagebook").iterdir()
        assert stat.S_IMODE(found.stat().st_mode) == 0o600
        assert stat.S_IMODE(found.parent.stat().st_mode) == 0o700
        (server.folder / "authorized_keys").write_text("")
        run = triagebook("diagnose", "box", "-F", str(server.config), "--json", **where)
        (diagnosis,) = run.json()
        assert diagnosis["diagnoses"][0]["target"]["transport"] == "watch"
        assert diagnosis["diagnoses"][0]["target"]["host_key"].startswith("SHA256:")
        assert diagnosis["host"]["kernel"] == os.uname().release
        checks = {check["id"]: check["outcome"] for told in diagnosis["diagnoses"] for check in told["checks"]}
        assert checks["threads_max"] == "cleared"
        many = triagebook("diagnose", "box", "replay:healthy", "-F", str(server.config), "--json", **where).json()
        assert {line["diagnoses"][0]["target"]["transport"] for line in many} == {"watch", "replay"}
        assert logins(server) == 1
    refused = triagebook("diagnose", "box", "-F", str(server.config), "--json", **where)
    assert refused.json()[0]["status"] == "unreachable"


def test_a_socket_that_nobody_listens_on_is_passed_by_and_taken_away_by_the_next_watch(
    triagebook: Triagebook, box: sshd.Server, run_folder: Path
) -> None:
    where = {"XDG_RUNTIME_DIR": str(run_folder)}
    with watching(triagebook.home, "box", "-F", str(box.config), **where) as watch:
        watch.wait(lambda lines: len(lines) > 0)
        watch.process.kill()
        watch.process.wait()
    (stale,) = (run_folder / "triagebook").iterdir()
    run = triagebook("diagnose", "box", "-F", str(box.config), "--json", **where)
    assert run.json()[0]["diagnoses"][0]["target"]["transport"].startswith("ssh")
    with watching(triagebook.home, "box", "-F", str(box.config), **where) as watch:
        watch.wait(lambda lines: len(lines) > 0)
        assert stale.exists()
        again = triagebook("diagnose", "box", "-F", str(box.config), "--json", **where)
        assert again.json()[0]["diagnoses"][0]["target"]["transport"] == "watch"
    assert not stale.exists()


def test_a_host_out_of_reach_names_the_watch_that_has_a_session(triagebook: Triagebook, box: sshd.Server, tmp_path: Path) -> None:
    """`no-such-account@box` may not log in; the watch of `box` may, and its session answers."""
    run_folder = tmp_path / "run"
    run_folder.mkdir(mode=0o700)
    where = {"XDG_RUNTIME_DIR": str(run_folder)}
    asked = ("diagnose", "no-such-account@box", "-r", "enomem", "-F", str(box.config))
    alone = triagebook(*asked, **where)
    assert (alone.status, "a watch of it runs" in alone.err) == (4, False), alone
    with watching(triagebook.home, "box", "-F", str(box.config), **where) as watch:
        watch.wait(lambda lines: len(lines) > 0)
        told = triagebook(*asked, **where)
    assert told.status == 4, told
    assert "a watch of it runs; its open session answers: triagebook diagnose box\n" in told.err


def test_a_second_watch_of_a_host_runs_without_the_socket_and_says_so(
    triagebook: Triagebook, box: sshd.Server, run_folder: Path
) -> None:
    where = {"XDG_RUNTIME_DIR": str(run_folder)}
    with watching(triagebook.home, "box", "-F", str(box.config), **where) as watch:
        watch.wait(lambda lines: len(lines) > 0)
        second = triagebook("watch", "box", "-F", str(box.config), "--samples", "1", "--json", **where)
        assert second.json()[0]["status"] != "unreachable"
        assert "a watch of this host is already running" in second.err
        assert len(list((run_folder / "triagebook").iterdir())) == 1


def test_a_folder_that_others_may_enter_gets_no_socket(triagebook: Triagebook, box: sshd.Server, run_folder: Path) -> None:
    (run_folder / "triagebook").mkdir(mode=0o755)
    run = triagebook("watch", "box", "-F", str(box.config), "--samples", "1", "--json", XDG_RUNTIME_DIR=str(run_folder))
    assert "must be a folder that only you can access (mode 0700)" in run.err
    assert len(run.json()) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="needs another account")
def test_another_user_is_not_served_though_he_reaches_the_socket(
    triagebook: Triagebook, box: sshd.Server, run_folder: Path, place: sshd.Ground
) -> None:
    with watching(triagebook.home, "box", "-F", str(box.config), XDG_RUNTIME_DIR=str(run_folder)) as watch:
        watch.wait(lambda lines: len(lines) > 0)
        (path,) = (run_folder / "triagebook").iterdir()
        path.chmod(0o666)
        asking = (
            "import os,socket,sys;os.chdir(sys.argv[1]);os.setuid(65534);"
            "t=socket.socket(socket.AF_UNIX);t.settimeout(300);t.connect(sys.argv[2]);"
            't.sendall(b\'{"ask":"sample","n":1,"tag":"aaaaaaaaaaaa"}\\n\');print(t.recv(100))'
        )
        path.parent.chmod(0o755)
        done = subprocess.run(
            ["/usr/bin/python3", "-c", asking, str(path.parent), path.name],
            capture_output=True,
            text=True,
            check=False,
            timeout=GUARD_S,
        )
        hung_up = "ConnectionResetError" in done.stderr or "BrokenPipeError" in done.stderr  # before or after he could write
        assert done.stdout.strip() == "b''" or (done.stdout == "" and hung_up), done


def test_a_cut_session_is_told_as_evidence_and_opened_again(triagebook: Triagebook, place: sshd.Ground, run_folder: Path) -> None:
    with place.sshd() as server:
        where = {"XDG_RUNTIME_DIR": str(run_folder)}
        with watching(triagebook.home, "box", "-F", str(server.config), "--every", "1", **where) as watch:
            watch.wait(lambda lines: len(lines) > 0)
            for pid in server.session_pids():
                os.kill(pid, signal.SIGTERM)
            cut = lambda lines: any(line["status"] == "unreachable" for line in lines)  # noqa: E731
            lines = watch.wait(lambda lines: cut(lines) and lines[-1]["status"] != "unreachable")
            assert [line["login"]["outcome"] for line in lines if line["status"] == "unreachable"] == ["cut"]
            assert logins(server) == 2


def test_a_watch_outlives_the_deadline_of_a_login(triagebook: Triagebook, box: sshd.Server) -> None:
    """The session of one diagnosis ends after 60 s at the latest; a watch's does not. Seen with short deadlines."""
    from triagebook.tools.diagnosis import lookups
    from triagebook.tools.ssh.transport import SshTransport
    from triagebook.tools.transport.base import LoginFailed, Timeouts

    kinds = lookups.kinds_to_collect([CATALOG.load("enomem")])

    def start(session_s: float | None) -> tuple[collect.HostReader, float]:
        """A collection, and the deadline of its login: the first that a busy machine keeps."""
        for total_s in (1.5, 10.0, 60.0):
            transport = SshTransport(config_file=box.config, timeouts=Timeouts(total_s=total_s, session_s=session_s))
            with contextlib.suppress(LoginFailed):
                collection = collect.start(transport, "box", kinds, cpu_limit_s=None)
                if collection.samples[-1].is_complete:
                    return collection, total_s
                collection.close()
        raise AssertionError("no login within a minute")

    for session_s, is_complete in ((None, False), (GUARD_S, True)):
        collection, total_s = start(session_s)
        time.sleep(total_s + 0.1)  # the deadline itself
        collection.take_sample()
        assert collection.samples[-1].is_complete is is_complete
        collection.close()


@pytest.mark.alone
def test_a_sample_of_a_watch_costs_the_host_less_than_its_share_and_memory_does_not_grow(box: sshd.Server) -> None:
    """0.1 % of one CPU at one sample in ten seconds is 10 ms a sample."""
    from triagebook.tools.diagnosis import lookups
    from triagebook.tools.ssh.transport import SshTransport

    kinds = lookups.kinds_to_collect([CATALOG.load("enomem")])
    collection = collect.start(SshTransport(config_file=box.config), "box", kinds, cpu_limit_s=None)
    costs = []
    for _ in range(40):
        before = collection.cost.cpu_ms or 0.0
        collection.take_sample(is_brief=True)
        collection.drop_old_samples()
        costs.append((collection.cost.cpu_ms or 0.0) - before)
    assert len(collection.samples) == 2
    assert len(collection._stream._pending) < 64 * 1024
    processes = sum(name.isdigit() for name in os.listdir("/proc"))
    collection.close()
    undisturbed = sorted(costs)[len(costs) // 4]
    assert 0 < undisturbed < 10 * max(1.0, processes / 400), f"{undisturbed:.1f} ms a sample for {processes} processes"


def test_metrics_are_kept_in_a_file_for_the_textfile_collector(triagebook: Triagebook, box: sshd.Server, tmp_path: Path) -> None:
    file = tmp_path / "triagebook.prom"
    run = triagebook("watch", "box", "-F", str(box.config), "--samples", "1", "--textfile", str(file), "--json")
    assert run.status == 0
    text = file.read_text()
    assert 'triagebook_watch_up{host="box"} 1' in text
    assert 'triagebook_limit{host="box",check="threads_max",what="kernel.threads-max"' in text


def test_a_recorded_case_cannot_be_watched(triagebook: Triagebook) -> None:
    run = triagebook("watch", "replay:healthy")
    assert (run.status, run.out) == (2, "")
    assert "a recorded case does not change" in run.err
