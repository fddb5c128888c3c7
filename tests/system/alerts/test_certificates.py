"""A sender that proves itself by its certificate (mutual TLS), beside senders with a secret on the same listener."""

import http.client
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.alerts.face import TlsFiles, alerts_face
from triagebook.tools.server.options import Hosts
from triagebook.tools.server.web import listen

from tests.certificates import Authority
from tests.hang import GUARD_S
from tests.system.fixes.samples import NAMES
from tests.system.slack.world import SlackHosts

from .intake_world import RULES, SECRET, IntakeWorld, alert, intake_world

SOURCES = RULES.replace("sources:\n", "sources:\n  am: {type: alertmanager, certificate_names: [am.example, old.example]}\n")
BODY = json.dumps({"version": "4", "alerts": [alert()]}).encode()


@dataclass(frozen=True)
class Listening:
    """The listener, its authority, and a folder for the certificates of clients."""

    made: IntakeWorld
    authority: Authority
    folder: Path
    port: int

    def post(self, source: str, certificate: tuple[Path, Path] | None = None, **headers: str) -> int:
        """Deliver an alert; the status."""
        context = ssl.create_default_context(cafile=str(self.authority.file))
        if certificate:
            context.load_cert_chain(*certificate)
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=GUARD_S, context=context)
        try:
            connection.request("POST", f"/alerts/{source}", BODY, headers)
            return connection.getresponse().status
        finally:
            connection.close()


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    folder = tmp_path_factory.mktemp("certificates")
    authority = Authority(folder / "ca.pem")
    certificate, key = map(str, authority.issue(folder, "server", "localhost"))
    with (
        intake_world(f"sqlite:///{folder / 'triagebook.db'}", folder, SOURCES) as made,
        listen(
            "127.0.0.1:0", made.intake, "alerts", tls_certificate=certificate, tls_key=key, client_ca=str(authority.file)
        ) as port,
    ):
        yield Listening(made, authority, folder, port)


def test_a_certificate_of_its_name_is_enough_and_of_another_is_not(listening: Listening) -> None:
    known = listening.authority.issue(listening.folder, "known", "am.example")
    rotated = listening.authority.issue(listening.folder, "rotated", "old.example", "more.example")
    other = listening.authority.issue(listening.folder, "other", "web.example")
    common = listening.authority.issue(listening.folder, "am.example")  # its common name is no name
    assert [listening.post("am", proof) for proof in (known, rotated, other, common, None)] == [202, 202, 401, 401, 401]
    assert listening.post("am", Authorization=f"Bearer {SECRET}") == 401  # it is the secret of another source


def test_a_certificate_is_no_secret_and_who_has_the_secret_needs_none(listening: Listening) -> None:
    known = listening.authority.issue(listening.folder, "known", "am.example")
    assert listening.post("prometheus", known) == 401
    assert listening.post("prometheus", Authorization=f"Bearer {SECRET}") == 202


def test_a_certificate_of_another_authority_is_refused_by_tls(listening: Listening) -> None:
    stranger = Authority(listening.folder / "stranger.pem").issue(listening.folder, "stranger", "am.example")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        listening.post("am", stranger)


def test_a_certificate_that_is_over_or_for_servers_only_is_refused_by_tls(listening: Listening) -> None:
    issue = listening.authority.issue
    for name, made in {"over": {"days": -1}, "server": {"usage": ExtendedKeyUsageOID.SERVER_AUTH}}.items():
        with pytest.raises((ssl.SSLError, ConnectionError)):
            listening.post("am", issue(listening.folder, f"{name}-only", "am.example", **made))  # type: ignore[arg-type]
    client = issue(listening.folder, "client-only", "am.example", usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    assert listening.post("am", client) == 202


@pytest.mark.parametrize("names", [("*.example",), ("am.example.net",), ("xn--am-.example",), ("am.example.",), (".example",), ()])
def test_only_the_very_name_proves_anything(listening: Listening, names: tuple[str, ...]) -> None:
    proof = listening.authority.issue(listening.folder, "near", *names, address="127.0.0.1")
    assert listening.post("am", proof) == 401
    assert listening.post("am", listening.authority.issue(listening.folder, "large", "AM.Example")) == 202  # RFC 4343


def test_what_a_header_says_of_a_certificate_proves_nothing(listening: Listening) -> None:
    known = listening.authority.issue(listening.folder, "known", "am.example")
    said = {"X-Client-Cert": known[0].read_text().replace("\n", " "), "X-SSL-Client-S-DN": "CN=am.example"}
    assert listening.post("am", **said, client_names="am.example") == 401


@pytest.mark.parametrize(
    ("tls", "says"),
    [
        (TlsFiles(), "source 'am' proves itself by a certificate: say whose with --alerts-client-ca FILE"),
        (TlsFiles(client_ca="ca.pem"), "--alerts-client-ca: there are certificates of clients with --alerts-tls-cert only"),
    ],
)
def test_what_could_never_be_proved_stops_the_start(listening: Listening, tls: TlsFiles, says: str) -> None:
    hosts = Hosts(SlackHosts(), NAMES, lambda: "forks")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=says):
        alerts_face("127.0.0.1:0", listening.folder / "alerts.yaml", hosts, tls=tls)
