"""A collection over a transport: samples, programs of the last round, and hosts that misbehave."""

import socket
import subprocess
import time
from dataclasses import replace
from typing import Any

import pytest
from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.engine.facts import Collection, Unreadable
from triagebook.runbooks.probes.records import Sample
from triagebook.tools.collector import collect, program
from triagebook.tools.collector.collect import SampleTimeouts
from triagebook.tools.collector.minify import minify

from tests.hang import GUARD_S, no_hang

SHORT = SampleTimeouts(first_sample_s=1.0, sample_s=1.0, finish_s=1.0)
LONG = SampleTimeouts(first_sample_s=GUARD_S, sample_s=GUARD_S, finish_s=GUARD_S)  # where the answer comes, or the end


def _over(tools: Any, *scripts: str, **settings: Any) -> Any:
    """A transport whose nth process is the nth script of sh, whatever was asked for."""
    return tools.transport(tools.session([("/bin/sh", "-c", script) for script in scripts], **settings))


def _all_unknown(tools: Any, samples: tuple[Sample, ...]) -> None:
    facts: Any = collect.parse(tools.kinds, samples)
    for kind, outer in facts.items():
        for name, value in vars(outer).items():
            assert isinstance(value, Unreadable) or (isinstance(value, Collection) and value.partial), f"{kind}.{name}"


def test_two_samples_of_this_machine_and_a_program_on_the_same_session(tools: Any) -> None:
    transport = tools.transport()
    collection = collect.start(transport, "anywhere", tools.kinds)
    assert [(sample.n, sample.is_complete) for sample in collection.samples] == [(1, True)]
    collection.take_sample([1])
    assert [(sample.n, sample.is_complete) for sample in collection.samples] == [(1, True), (2, True)]
    output = collection.run(("printf", "%s", "it's \xe4"), 5)
    assert isinstance(output, collect.Output)
    assert (output.stdout, output.exit.status) == ("it's \xe4", 0)
    cost = collection.cost
    assert (cost.collector, cost.forks, cost.notes, cost.awk) == ("awk", 0, (), "mawk")
    assert cost.bytes > 1000
    assert cost.cpu_ms is not None
    assert 1 < cost.cpu_ms < 5000
    assert collection.truncated_kinds == ()
    collection.close()
    assert transport.made.is_closed
    facts: Any = collect.parse(tools.kinds, collection.samples)
    assert isinstance(facts["meminfo"].oom_kills_delta, int)


def test_the_argv_is_plain_words_for_any_login_shell(tools: Any) -> None:
    transport = tools.transport()
    collect.start(transport, "anywhere", tools.kinds).close()
    (argv,) = transport.made.started
    assert argv[:2] == ("/bin/sh", "-c")
    for word in argv:
        assert "'" not in word
        assert "\n" not in word
        assert "\\\\" not in word
        assert word.isascii()
    assert len(" ".join(argv)) < 48_000  # of all kinds (ADR 0248); a question sends those of its runbooks


def test_pace_lines_come_through_a_socket_too(tools: Any, awk: str) -> None:
    """sshd may give a process a socket for its standard input, which cannot be opened by a path."""
    ours, theirs = socket.socketpair()
    argv = program.command(program.build(("meminfo",)), program.launcher(awk=awk))
    with subprocess.Popen(argv, stdin=theirs.fileno(), stdout=subprocess.PIPE) as process:
        theirs.close()
        assert process.stdout is not None
        for n in (1, 2):
            while f"\t{n}\tend\t".encode() not in process.stdout.readline():
                pass
            ours.send(b"sample\n")
        ours.close()
        assert b"\t3\tend\t" in process.stdout.read()


def test_an_unknown_kind_is_refused_before_anything_is_started(tools: Any) -> None:
    transport = tools.transport()
    with pytest.raises(RunbookError, match="did you mean 'meminfo'"):
        collect.start(transport, "anywhere", ["meminf"])
    assert transport.made.started == []


def test_a_greeting_before_and_between_is_no_record(tools: Any) -> None:
    script = (
        "printf 'Welcome\\n\\033[2J\\ntriagebook/1 nonsense\\nno newline'; printf '\\ntriagebook/1 0123456789ab\\n';"
        "printf '0123456789ab\\t1\\tmeminfo\\tis\\tMemTotal=4\\n'; echo stray; echo 'ffffffffffff\t1\tend\tprinted=1';"
        "printf '0123456789ab\\t1\\tend\\tprinted=2\\n'; cat >/dev/null"
    )
    collection = collect.start(_over(tools, script), "anywhere", ["meminfo"], timeouts=LONG)
    (sample,) = collection.samples
    assert sample.is_complete
    assert sample.of("meminfo") == (("is", "MemTotal=4"),)
    collection.close()


def test_silence_is_given_up_at_the_deadline(tools: Any) -> None:
    with no_hang(1):
        collection = collect.start(_over(tools, "exec sleep 60"), "anywhere", tools.kinds, timeouts=SHORT)
        collection.close()
    assert collection.samples == (Sample(1, (), is_complete=False),)
    assert "no complete answer within 1 s" in collection.cost.notes[0]
    assert collection.truncated_kinds == tools.kinds
    _all_unknown(tools, collection.samples)


def test_ten_megabytes_on_both_streams_neither_hang_nor_fill_memory(tools: Any) -> None:
    script = "head -c 10000000 /dev/zero >&2 & exec head -c 10000000 /dev/zero"
    with no_hang(2):
        collection = collect.start(_over(tools, script), "anywhere", tools.kinds, timeouts=SHORT)
        assert collection.cost.bytes < 1 << 20
        assert "sent more than" in collection.cost.notes[0]
        collection.take_sample()
        assert len(collection.samples) == 2
        collection.close()
    _all_unknown(tools, collection.samples)


def test_an_answer_cut_in_the_middle_is_incomplete(tools: Any) -> None:
    script = "printf 'triagebook/1 0123456789ab\\n0123456789ab\\t1\\tmeminfo\\tis\\tMemTotal=40\\tMemAvail'"
    collection = collect.start(_over(tools, script, refuses=True), "anywhere", ["meminfo", "host"], timeouts=LONG)
    assert collection.samples == (Sample(1, (), is_complete=False),)
    facts: Any = collect.parse(["meminfo", "host"], collection.samples)
    assert facts["meminfo"].total_bytes == Unreadable("not printed")
    assert "the program ended early: exit status 0" in collection.cost.notes[1]
    assert "could not be started again" in collection.cost.notes[2]
    collection.close()


def test_a_program_that_dies_is_tried_once_more(tools: Any) -> None:
    dies = "printf 'triagebook/1 0123456789ab\\n'; echo 'mawk: read error' >&2; exit 2"
    lives = "printf 'triagebook/1 ba9876543210\\nba9876543210\\t1\\tend\\tprinted=1\\n'; cat >/dev/null"
    collection = collect.start(_over(tools, dies, lives), "anywhere", ["meminfo"], timeouts=LONG)
    assert collection.samples[0].is_complete
    assert "exit status 2, mawk: read error" in collection.cost.notes[1]
    collection.close()


def test_a_second_sample_that_does_not_come_leaves_the_first(tools: Any) -> None:
    once = "printf 'triagebook/1 0123456789ab\\n0123456789ab\\t1\\tmeminfo\\tis\\tMemTotal=4\\n0123456789ab\\t1\\tend\\tx=1\\n'"
    for script in (once, f"{once}; exec sleep 60"):
        collection = collect.start(_over(tools, script), "anywhere", ["meminfo"], timeouts=replace(SHORT, first_sample_s=GUARD_S))
        time.sleep(0.05)
        collection.take_sample()
        assert [(sample.n, sample.is_complete) for sample in collection.samples] == [(1, True), (2, False)]
        facts: Any = collect.parse(["meminfo"], collection.samples)
        assert facts["meminfo"].total_bytes == 4096
        assert facts["meminfo"].oom_kills_delta == Unreadable("needs a second sample")
        assert any(note.startswith("sample 2:") for note in collection.cost.notes)
        collection.close()


FILES = {
    "/proc/meminfo": b"MemTotal: 100 kB\nMemAvailable: 50 kB\nCommitLimit: 60 kB\nCommitted_AS: 10 kB\n",
    "/proc/sys/vm/overcommit_memory": b"2\n",
    "/proc/sys/vm/admin_reserve_kbytes": b"20\n",
    "/proc/sys/kernel/threads-max": b"100\n",
    "/proc/sys/kernel/pid_max": b"1000\n",
    "/proc/loadavg": b"0.1 0.1 0.1 1/90 500\n",
    "/proc/sys/kernel/hostname": b"evil\x1b[2Jname\n",
    "/proc/self/cgroup": b"0::/user.slice/user-1000.slice/session-1.scope\n",
    "/sys/fs/cgroup/user.slice/user-1000.slice/pids.max": b"24\n",
    "/sys/fs/cgroup/user.slice/user-1000.slice/pids.current": b"24\n",
    "/sys/fs/cgroup/user.slice/user-1000.slice/pids.events": b"max 3\n",
}


def test_without_a_program_the_files_are_read(tools: Any) -> None:
    transport = _over(tools, "echo 'sh: awk: not found' >&2; exit 127", files=FILES)
    collection = collect.start(transport, "anywhere", tools.kinds, timeouts=LONG)
    collection.take_sample()
    facts: Any = collect.parse(tools.kinds, collection.samples)
    assert (facts["meminfo"].commit_room_bytes, facts["meminfo"].overcommit_memory) == (30 * 1024, 2)
    assert (facts["kernel_limits"].threads_room, facts["host"].hostname) == (10, "evil\\x1b[2Jname")
    assert isinstance(facts["kernel_limits"].pid_room, Unreadable)
    assert isinstance(facts["meminfo"].swap_total_bytes, Unreadable)
    limited = facts["pids_cgroups"].limited
    assert [(item.path, item.room, item.refused, item.user) for item in limited.items] == [
        ("/user.slice/user-1000.slice", 0, 3, "1000")
    ]
    assert "only this session's own cgroups were read (SFTP)" in limited.partial
    for kind, field in (("tasks_by_uid", "limited"), ("process_groups", "groups"), ("memory_cgroups", "limited")):
        assert getattr(facts[kind], field).partial
    assert collection.cost.collector == "sftp"
    assert "exit status 127, sh: awk: not found" in collection.cost.notes[1]
    assert "(SFTP)" in collection.cost.notes[2]
    collection.close()


def test_without_files_either_everything_is_unknown(tools: Any) -> None:
    unreadable: tuple[dict[str, Any], ...] = ({}, {"files": {}})
    for settings in unreadable:
        collection = collect.start(_over(tools, "exit 126", **settings), "anywhere", tools.kinds, timeouts=LONG)
        assert collection.cost.collector == "none"
        assert "no file could be read either (SFTP)" in collection.cost.notes[-1]
        _all_unknown(tools, collection.samples)
        collection.close()


def test_a_program_of_the_last_round_that_fails_is_evidence(tools: Any) -> None:
    refusing = tools.transport(tools.session(refuses=True))
    collection = collect.start(refusing, "anywhere", ["meminfo"], timeouts=LONG)
    assert collection.run(("systemctl", "show"), 1) == Unreadable(
        "systemctl could not be started: exec request failed on channel 0"
    )
    collection.close()
    collection = collect.start(tools.transport(), "anywhere", ["meminfo"], timeouts=LONG)
    assert collection.run(("/bin/sh", "-c", "exit 127"), GUARD_S) == Unreadable("/bin/sh cannot be run there (exit status 127)")
    assert collection.run(("sleep", "60"), 0.2) == Unreadable("sleep: no complete answer within 0.2 s")
    assert isinstance(collection.run(("/nonexistent/program",), GUARD_S), Unreadable)
    failed = collection.run(("/bin/sh", "-c", "echo no >&2; exit 4"), 1)
    assert isinstance(failed, collect.Output)
    assert (failed.exit.status, failed.exit.stderr) == (4, b"no\n")
    collection.close()


def test_a_statement_left_open_is_refused() -> None:
    with pytest.raises(ValueError, match="must end in"):
        minify("x = 1\ny = 2;")
    for bad in ("x = 'a';", 'x = "\\\\";', "if (!x) { y; }", 'x = "é";'):
        with pytest.raises(ValueError, match="quote"):
            minify(bad)
