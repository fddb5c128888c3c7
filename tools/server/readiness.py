"""Checks whether this server could decide, sign and record now: database, audit log, policy and keys."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillAtIt
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from triagebook.runbooks.engine.errors import TriagebookError, TrustError
from triagebook.tools.fixes.approval_server import ApprovalServer
from triagebook.tools.log import log_event
from triagebook.tools.server.keys import ServerKeys, open_keys

OK = "ok"
PATIENCE_S = 5.0
KEPT_S = 1.0  # however often it is asked, it looks once a second


class Readiness:
    """Runs the checks on demand, one run at a time. A check that does not end counts as failed."""

    def __init__(self, server: ApprovalServer, keys: ServerKeys, key_folder: Path, has_policy_file: bool) -> None:
        self._server, self._keys, self._key_folder, self._has_policy_file = server, keys, key_folder, has_policy_file
        self._checks: Mapping[str, Callable[[], None]] = {
            "database": server.store.probe,
            "audit_log": server.checkpointer.check,
            "policy": self._check_policy,
            "keys": self._check_keys,
        }
        self._pool = ThreadPoolExecutor(1, "readiness")
        self._guard = threading.Lock()
        self._look: Future[None] | None = None
        self._at = 0.0
        self._said: dict[str, str] = {}
        self._before: Mapping[str, str] = {}

    def states(self) -> Mapping[str, str]:
        """Return `ok` or a reason code for each check. The log has the details."""
        with self._guard:
            if self._look is None or (self._look.done() and time.monotonic() - self._at > KEPT_S):
                self._at, self._said = time.monotonic(), {}
                self._look = self._pool.submit(self._check_all, self._said)
            look, said = self._look, self._said
        try:
            look.result(PATIENCE_S)
        except StillAtIt:
            return {name: said.get(name, "no_answer") for name in self._checks}
        return said

    def close(self) -> None:
        """Stop checking; a check that does not end is abandoned."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _check_all(self, said: dict[str, str]) -> None:
        why: Exception | None
        for name, check in self._checks.items():
            try:
                check()
            except (TriagebookError, OSError) as error:
                said[name], why = getattr(error, "reason", "") or "failed", error
            except Exception as error:  # noqa: BLE001 - what cannot be looked at is not ready
                said[name], why = "internal", error
            else:
                said[name], why = OK, None
            if said[name] != self._before.get(name, OK):
                log_event("server.not_ready" if why else "server.ready_again", check=name, reason=said[name], error=why)
        self._before = dict(said)

    def _check_policy(self) -> None:
        if self._has_policy_file and not self._server.policy.is_configured:
            raise TrustError("a policy file was given, but no policy is loaded", reason="policy")

    def _check_keys(self) -> None:
        if not self._key_folder.is_dir() or len(list(self._key_folder.iterdir())) < 2:  # open_keys would make new ones
            raise TrustError(
                f"{self._key_folder}: the key files are missing; this server still uses the keys in memory", reason="key"
            )
        found = open_keys(self._key_folder)
        if [_public(found.audit), _public(found.orders)] != [_public(self._keys.audit), _public(self._keys.orders)]:
            raise TrustError(f"{self._key_folder}: the key files are not those that this server uses", reason="key")


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()
