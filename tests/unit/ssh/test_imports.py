"""What a start costs: nothing heavy is imported before TCP is under way, and never what is not needed."""

import subprocess
import sys

SHOW = "import sys; print(' '.join(sorted(m for m in sys.modules)))"


def imported(code: str) -> set[str]:
    shown = subprocess.run([sys.executable, "-c", f"{code}; {SHOW}"], check=True, capture_output=True, text=True).stdout
    return set(shown.split())


def test_the_transports_import_no_cryptography_before_they_are_used() -> None:
    modules = imported("import triagebook.tools.ssh.transport, triagebook.tools.ssh.openssh, triagebook.tools.transport.local")
    assert not modules & {"paramiko", "cryptography", "asyncio", "invoke", "nacl", "logging"}


def test_paramiko_comes_without_invoke_and_leaves_no_trace_of_the_trick() -> None:
    code = "from triagebook.tools.ssh import light_paramiko; p = light_paramiko.load(); assert p.Transport"
    assert not imported(code) & {"invoke", "asyncio", "importlib.metadata"}
    after = f"{code}; import importlib.metadata, invoke; assert importlib.metadata.version('paramiko').startswith('5.1')"
    assert {"invoke", "importlib.metadata"} <= imported(after)


def test_paramiko_that_was_imported_before_is_taken_as_it_is() -> None:
    imported("import paramiko; from triagebook.tools.ssh import light_paramiko; assert light_paramiko.load() is paramiko")
