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
