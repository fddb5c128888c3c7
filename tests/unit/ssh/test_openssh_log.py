"""The words of the ssh program, and the evidence they are."""

import pytest
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.ssh.openssh_log import OpensshLog
from triagebook.tools.transport.base import LoginFailed

TCP = "debug1: Connection established.\n"
KEX = TCP + "debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2\n"
AUTH = KEX + "debug1: SSH2_MSG_NEWKEYS received\n"
IN = AUTH + 'Authenticated to box ([127.0.0.1]:22) using "publickey".\n'
PROXY = "debug1: Executing proxy command: exec nc box 22\n"
CHANGED = "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.\n"


@pytest.mark.parametrize(
    ("text", "phase", "outcome"),
    [
        ("ssh: Could not resolve hostname box: Name or service not known\n", "resolve", "refused"),
        ("ssh: connect to host box port 22: Connection refused\n", "connect", "refused"),
        ("ssh: connect to host box port 22: No route to host\n", "connect", "refused"),
        ("ssh: connect to host box port 22: Connection timed out\n", "connect", "timeout"),
        ("ssh: connect to host box port 22: Connection reset by peer\n", "banner", "no_banner"),
        (TCP + "kex_exchange_identification: Connection closed by remote host\n", "banner", "no_banner"),
        (TCP + "kex_exchange_identification: read: Connection reset by peer\n", "banner", "no_banner"),
        (TCP + "Connection timed out during banner exchange\n", "banner", "timeout"),
        (
            TCP + "debug1: kex_exchange_identification: banner line 0: Exceeded MaxStartups\nConnection closed\n",
            "banner",
            "refused",
        ),
        (KEX + "Unable to negotiate with 10.0.0.1 port 22: no matching host key type found\n", "kex", "refused"),
        (KEX + "Connection closed by 10.0.0.1 port 22\n", "kex", "cut"),
        (KEX + CHANGED, "host_key", "host_key"),
        (KEX + "No ED25519 host key is known for box and you have requested strict checking.\n", "host_key", "host_key"),
        (AUTH + "ann@box: Permission denied (publickey).\n", "auth", "refused"),
        (AUTH + "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures\n", "auth", "refused"),
        (AUTH + "Connection closed by 10.0.0.1 port 22\n", "auth", "cut"),
        (IN + "exec request failed on channel 0\n", "session", "no_session"),
        (IN + "channel 0: open failed: administratively prohibited: open failed\n", "session", "no_session"),
        (IN + "Connection to box closed by remote host.\n", "session", "cut"),
        (IN, "session", "no_session"),  # an exec refused on a shared connection prints nothing
        ("", "connect", "cut"),
        (PROXY + "kex_exchange_identification: Connection closed by remote host\n", "connect", "refused"),
        (PROXY + "Connection closed by UNKNOWN port 65535\n", "connect", "refused"),
    ],
)
def test_the_end_of_a_login_is_classified(text: str, phase: str, outcome: str) -> None:
    log = OpensshLog("box")
    for index in range(0, len(text), 7):
        log.feed(text[index : index + 7].encode())
    failure = log.failure(b"")
    assert isinstance(failure, LoginFailed)
    assert (failure.login.phase, failure.login.outcome) == (phase, outcome)
    assert str(failure).startswith("box: ")
    assert str(failure).isprintable()


def test_a_mistake_in_the_configuration_is_one_of_usage() -> None:
    log = OpensshLog("box")
    log.feed(b"config: line 3: Bad configuration option: frobnicate\nconfig: terminating, 1 bad configuration options\n")
    failure = log.failure(b"")
    assert isinstance(failure, UsageError)
    assert "config: line 3: Bad configuration option: frobnicate" in str(failure)


def test_the_words_of_the_log_tell_how_far_it_went() -> None:
    log = OpensshLog("box")
    log.feed((KEX + "debug1: Server host key: ssh-ed25519 SHA256:abc\n").encode())
    assert (log.phase, log.host_key, log.is_running) == ("kex", "SHA256:abc", False)
    log.feed(b"debug2: exec request accepted on channel 0\n")
    assert log.is_running
    assert set(log.timings_ms) == {"connect", "banner", "kex"}
    log.feed(b"Connection to box closed by remote host.\n")
    assert log.cut == "Connection to box closed by remote host."
