import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triagebook.tools import redact as redact_rules
from triagebook.tools.redact import MAX_LINE, Redactor, clean_text, redact

CANARY = "CaNaRy7f3Kq9"
KEY = f"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk{CANARY}\nAAAA{CANARY}\n-----END OPENSSH PRIVATE KEY-----"
SECRETS = [
    f"/usr/bin/app --password={CANARY} --port=80",
    f"/usr/bin/app --db-password {CANARY} --port 80",
    f"app --password '{CANARY} with space' x",
    f'{{"api_key": "{CANARY}"}}',
    f"DATABASE_PASSWORD={CANARY}",
    f"AWS_SECRET_ACCESS_KEY={CANARY}/x+y=",
    f"aws_secret_access_key = {CANARY}",
    f"postgres://app:{CANARY}@db.example/x",
    f"https://:{CANARY}@git.example/x.git",
    f"curl -H 'Authorization: Bearer {CANARY}.abc'",
    f"authorization: basic {CANARY}==",
    "AKIA" + CANARY.upper().ljust(16, "X")[:16],
    f"xoxb-1234-{CANARY}",
    f"ghp_{CANARY}{CANARY}",
    f"eyJhbGciOiJI.{CANARY}.{CANARY}",
    f"token: {CANARY}",
    f"PGPASSWORD={CANARY} psql",
    f"mysql -u root --pass {CANARY}",
    KEY,
    f"before {KEY} after",
    f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}",  # cut short: still hidden
]


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_cut_out(text: str) -> None:
    assert CANARY.lower() not in redact(text).lower()


@pytest.mark.parametrize("text", SECRETS)
@pytest.mark.parametrize("size", [1, 3, 7])
def test_a_secret_split_between_chunks_is_cut_out(text: str, size: int) -> None:
    redactor = Redactor()
    chunks = [text[start : start + size] for start in range(0, len(text), size)]
    assert "".join(redactor.feed(chunk) for chunk in chunks) + redactor.finish() == redact(text)


PIECES = [
    *("password", "PassWD", "pwd", "secret", "token", "s", "credential", "api-key", "key", "=", ":", " ", '"', "-", "--", "_", "."),
    *("x", "a" * 39, "://", "http", "@", "Bearer ", "basic ", "AKIAABCDEFGHIJKLMNOP", "xoxb-12345678", "ghp_" + "A" * 22, "eyJ"),
    *("sk-" + "Ab" * 12, "glpat-" + "Ab" * 9, "\u212aey", "pa\u017f\u017fword", "\u0131", "|", "1", "digest AAAAAAAA"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_a_rule_that_is_not_tried_would_have_changed_nothing(text: str) -> None:
    expected = text
    for _words, pattern, replacement in redact_rules._RULES:
        expected = pattern.sub(replacement, expected)
    assert redact(text) == expected


@given(st.lists(st.text(alphabet="ab=: \n-/@PRIVATEKYBGN\n", max_size=30), max_size=6))
def test_chunks_do_not_change_what_comes_out(chunks: list[str]) -> None:
    redactor = Redactor()
    assert "".join(map(redactor.feed, chunks)) + redactor.finish() == redact("".join(chunks))


@pytest.mark.parametrize(
    "text",
    [
        "worker.service is at its task limit: 100 of 100.",
        "systemctl set-property --runtime worker.service TasksMax=200",
        "https://runbooks.example/forks?page=2#top",
        "/sys/fs/cgroup/system.slice/worker.service/pids.max",
        "passenger: 4 processes",
        "SHA256:Q2FuYXJ5VGVzdEtleUZpbmdlcnByaW50",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_the_text_around_a_key_block_stays() -> None:
    assert redact(f"before {KEY} after") == "before *** private key ***\n after"


def test_an_endless_line_is_cut_and_not_kept() -> None:
    redactor = Redactor()
    for _ in range(40):
        assert redactor.feed("x" * 10_000) == ""
    assert len(redactor.finish()) < MAX_LINE + 100


@pytest.mark.parametrize("text", ["-" * 60_000, "password" * 8_000, "a://" * 15_000, "eyJ" * 20_000, "-p" * 30_000])
def test_hostile_text_does_not_cost_more_than_its_length(text: str) -> None:
    started = time.process_time()  # a busy machine takes longer, and does no more
    redact(text)
    assert time.process_time() - started < 2


def test_what_a_person_wrote_becomes_one_short_line_without_secrets() -> None:
    written = "because\nof\x1b[31m  password:\n hunter2 \u202eevil"
    assert clean_text(written, 300) == r"because of\x1b[31m password: *** \u202eevil"
    assert clean_text(written, 12) == "because of\\…"
