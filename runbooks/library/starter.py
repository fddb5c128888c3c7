"""Writes a new runbook's first files: small, and passing."""

import re
from pathlib import Path

from triagebook.runbooks.engine.errors import RunbookError

_RUNBOOK = """apiVersion: triagebook/v1
id: {id}
version: 0.1.0
title: Describe the error in a sentence
symptoms:
  - {{class: example, match: "(?i)example error"}}
probes:
  kernel: {{kind: kernel_limits}}
  mem: {{kind: meminfo}}
checks: # the list order is the triage order
  - id: threads_max
    explains: [example]
    states: # first true wins
      - {{active: at_limit, strength: certain, when: kernel.threads_room <= 0}}
    culprit: {{kind: "'host'", id: "'kernel.threads-max'"}}
    limit: {{name: kernel.threads-max, value: kernel.threads_max, used: kernel.tasks}}
    evidence: [kernel.tasks, kernel.threads_max]
    says: "The host is at its thread ceiling: {{{{ kernel.tasks }}}} of {{{{ kernel.threads_max }}}}."
headlines:
  limit: "{{{{ verdict.summary }}}}"
  shortage: "{{{{ verdict.summary }}}}"
  other: "{{{{ verdict.summary }}}}"
  healthy: "Nothing found: {{{{ kernel.tasks }}}} tasks of {{{{ kernel.threads_max }}}}."
  inconclusive: Not everything could be judged.
  unreachable: "No session ({{{{ login.phase }}}}: {{{{ login.message }}}})."
"""

CASES = {
    "healthy": """about: Far from the ceiling
facts:
  kernel: {tasks: 120, threads_max: 3682, threads_room: 3562}
expect: {status: healthy, cause: null}
""",
    "threads-max-full": """about: Nothing can fork
like: healthy
facts:
  kernel: {tasks: 3682, threads_room: 0}
expect: {status: cause_found, cause: threads_max, active: at_limit}
""",
    "threads-max-unknown": """about: The ceiling could not be read
like: healthy
facts:
  kernel: {threads_room: {unreadable: permission denied}}
expect: {status: inconclusive, checks: {threads_max: unknown}}
""",
}


def start_runbook(name: str, folder: Path) -> tuple[Path, ...]:
    """Write the files; refuses a folder that exists. Raises RunbookError."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,31}", name):
        raise RunbookError(f"{name[:80]!r} is not a runbook id: lower case letters, digits and hyphens")
    home = folder / name / "0.1.0"
    try:
        (home / "cases").mkdir(parents=True)
        files = {home / "runbook.yaml": _RUNBOOK.format(id=name)}
        files |= {home / "cases" / f"{case}.yaml": text for case, text in CASES.items()}
        for file, text in files.items():
            file.write_text(text)
    except FileExistsError:
        raise RunbookError(f"{home}: is there already, and is not overwritten; choose another id or folder") from None
    except OSError as error:
        raise RunbookError(f"{home}: {error.strerror}") from None
    return tuple(files)
