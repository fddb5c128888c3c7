"""The keys by which a NATS server knows the workers of a site, and the server that asks them: NKEYs, one a file."""

import re
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.files import read_private
from triagebook.tools.own_file import write_new
from triagebook.tools.sites.nkey import UserKey, new_seed
from triagebook.tools.sites.wire import Permissions

SEED = re.compile(r"^(SU[A-Z2-7]{56})$", re.MULTILINE)
MOST_BYTES = 4096


@dataclass(frozen=True)
class NatsKey:
    """A key, and the file that it came from."""

    key: UserKey
    file: Path


def read_credentials(file: Path) -> NatsKey:
    """Read a key that nobody else can read. Raises TrustError: there is none, or others can read it."""
    try:
        text = read_private(file, MOST_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise TrustError(f"{file}: {error.strerror}", reason="credentials") from None
    found = SEED.search(text)
    if found is None:
        raise TrustError(f"{file}: no key of a NATS user (a line that begins with SU); make it by `triagebook site add`")
    try:
        return NatsKey(UserKey(found[1]), file)
    except ValueError as error:
        raise TrustError(f"{file}: {error}; make it anew by `triagebook site add`", reason="credentials") from None


def create_credentials(file: Path, about: str) -> str:
    """Make a key, write it to a new file of our own, and return its public half. Raises UsageError."""
    seed = new_seed()
    text = f"# {about}. Keep it secret: it is all that a thief needs.\n{seed}\n"
    write_new(file, text)
    return UserKey(seed).public


def user_lines(public: str, may: Permissions) -> str:
    """Return the lines for `users` in nats-server.conf which let this key do that and nothing else."""
    publish, subscribe = (", ".join(f'"{subject}"' for subject in subjects) for subjects in (may.publish, may.subscribe))
    return f"""    {{
      nkey: {public}
      permissions: {{
        publish: [{publish}]
        subscribe: [{subscribe}]
      }}
    }}
"""
