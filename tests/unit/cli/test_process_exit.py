"""How the process ends while a thread is still at work inside a Rust extension."""

import subprocess
import sys

import pytest

# Three threads that are always inside pydantic-core, calling back into Python: each takes the GIL again and again.
AT_WORK = """
import sys, threading
from pydantic_core import SchemaValidator, core_schema
def count(value):
    for _ in range(10_000): pass
    return value
validate = SchemaValidator(core_schema.no_info_plain_validator_function(count)).validate_python
def work():
    while True: validate(1)
for _ in range(3): threading.Thread(target=work, daemon=True).start()
from triagebook.bot.cli.app import main
main()
"""


@pytest.mark.parametrize(("words", "status"), [(["--version"], 0), (["diagnose", "replay:nobody/knows"], 2), (["--wrong"], 2)])
def test_the_exit_status_is_the_commands_while_threads_are_at_work(words: list[str], status: int) -> None:
    run = subprocess.run([sys.executable, "-c", AT_WORK, *words], capture_output=True, text=True, check=False)
    assert run.returncode == status
    assert "FATAL" not in run.stderr
    assert run.stdout if status == 0 else run.stderr
