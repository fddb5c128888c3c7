"""`triagebook serve`: check everything that trust rests on, then answer until SIGTERM. Whatever is wrong stops the start."""

import contextlib
import fcntl
import grp
import hashlib
import os
import resource
import secrets
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import PolicyError, TriagebookError, TrustError
from triagebook.runbooks.engine.text import is_whole_number
from triagebook.tools.audit.anchors import Anchor, FileAnchor, SyslogAnchor
from triagebook.tools.audit.event import AuditEvent
from triagebook.tools.audit.seal import row_key_of
from triagebook.tools.files import check_private, private_directory
from triagebook.tools.fixes.approval_server import SILENT, ApprovalServer
from triagebook.tools.fixes.interfaces import Diagnoser, Executor, Renderer
from triagebook.tools.fixes.service import FixService
from triagebook.tools.inventory.names import Names
from triagebook.tools.log import log_event
from triagebook.tools.policy.load import load_policy
from triagebook.tools.policy.model import UNCONFIGURED, Policy
from triagebook.tools.server.diagnoses import SocketDiagnoses
from triagebook.tools.server.keys import ServerKeys, fingerprint, open_keys
from triagebook.tools.server.listener import Listener
from triagebook.tools.server.options import ANCHOR, DATABASE, KEYS, ServeOptions
from triagebook.tools.server.peer import actor_of
from triagebook.tools.server.protocol import Members
from triagebook.tools.server.requests import DIAGNOSE, REQUESTS, Handler, answers
from triagebook.tools.store import audit_rows
from triagebook.tools.store.checkpointer import Checkpointer
from triagebook.tools.store.database import Step, Store, open_store
from triagebook.tools.store.migrate import migrate

MAX_POLICY = 512 * 1024
SWITCH_S = 0.001  # who acknowledges waits at most so long for each thread that computes (Python's default: 5 ms)


@dataclass(frozen=True)
class Parts:
    """What a server is built with besides its options."""

    diagnoser: Diagnoser
    renderer: Renderer
    executor: Callable[[ServerKeys], Executor] | None = None
    default_runbook: Callable[[], str] = lambda: ""
    names: Names = field(default_factory=Names)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    step: Step = SILENT


@dataclass(frozen=True)
class RunningServer:
    """A running approval server and its keys."""

    service: FixService
    approval_server: ApprovalServer
    keys: ServerKeys


def serve(
    options: ServeOptions,
    parts: Parts,
    ready: Callable[[], None] = lambda: None,
    beside: Sequence[Callable[[RunningServer], contextlib.AbstractContextManager[object]]] = (),
) -> None:
    """`beside` are other faces in this process: entered before `ready`, left before the log says it stops.

    Run until SIGTERM or SIGINT. Raises TrustError or PolicyError before anything is served."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold the keys
    private_directory(options.data)
    with _only_server(options.data), open_server(options, parts) as place:
        _record(place, "serve_join" if options.join else "serve_start")
        place.service.sweep()
        listener = Listener(
            options.socket, options.socket_mode, _answer(place), _group(options.socket_group), is_person=_knows_person(place)
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: listener.stop())
        stopping = threading.Event()
        sweeper = threading.Thread(target=_sweep, args=(place.service, options.sweep_s, stopping), daemon=True)
        sweeper.start()
        faces = contextlib.ExitStack()
        if beside:
            sys.setswitchinterval(SWITCH_S)
        try:
            for face in beside:
                faces.enter_context(face(place))
            _tell_systemd("READY=1")
            log_event("server.ready", socket=str(options.socket), policy=place.approval_server.policy.digest[:16] or "none")
            ready()
            listener.run()
        finally:
            faces.close()
            _tell_systemd("STOPPING=1")
            stopping.set()
            listener.close(options.patience_s)
            sweeper.join(options.patience_s)
        _record(place, "serve_stop")
        log_event("server.stopped")


@contextlib.contextmanager
def open_server(options: ServeOptions, parts: Parts) -> Iterator[RunningServer]:
    """Keys, policy, database and audit log, each checked. The log must hold before anything is signed on top of it."""
    keys = open_keys(options.data / KEYS)
    policy = read_policy(options.policy) if options.policy else UNCONFIGURED
    check_private(options.data / DATABASE)
    url = options.database or f"sqlite:///{options.data / DATABASE}"
    migrate(url)
    store = open_store(url, parts.step, row_key_of(keys.audit))
    try:
        checkpointer = _checkpointer(options, parts, store, keys)
        server = ApprovalServer(
            store=store,
            policy=policy,
            checkpointer=checkpointer,
            clock=parts.clock,
            diagnoser=parts.diagnoser,
            renderer=parts.renderer,
            executor=parts.executor(keys) if parts.executor else None,
            instance=secrets.token_hex(8),
            lease=timedelta(seconds=options.lease_s),
            default_runbook=parts.default_runbook,
            step=parts.step,
            names=parts.names,
        )
        yield RunningServer(FixService(server), server, keys)
    finally:
        store.close()


def read_policy(path: Path) -> Policy:
    """A policy that nobody but root or this account can have written. PolicyError."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), encoding="utf-8") as file:
            found = os.fstat(file.fileno())
            text = file.read(MAX_POLICY)
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o022 or found.st_uid not in {0, os.geteuid()}:
        raise PolicyError(f"{path}: others can write it: it must belong to root or this account; chmod go-w {path}")
    return load_policy(text, str(path))


def origin_of(keys: ServerKeys) -> str:
    """The log's name in its checkpoints: of the installation, by the hash of its key."""
    return "triagebook/" + hashlib.sha256(keys.audit.public_key().public_bytes_raw()).hexdigest()[:16]


def _checkpointer(options: ServeOptions, parts: Parts, store: Store, keys: ServerKeys) -> Checkpointer:
    anchors: list[Anchor] = [FileAnchor(options.anchor or options.data / ANCHOR)]
    if options.syslog:
        anchors.append(SyslogAnchor())
    checkpointer = Checkpointer(store, keys.audit, origin_of(keys), anchors, parts.clock)
    if options.join:
        checkpointer.join()
    if checkpointer.start().since:
        threading.Thread(target=checkpointer.verify_whole, name="verify", daemon=True).start()
    return checkpointer


def _answer(place: RunningServer) -> Callable[[int, Members], Iterator[Mapping[str, object]]]:
    requests: Mapping[str, Handler] = {**REQUESTS, DIAGNOSE: SocketDiagnoses(place.approval_server).diagnose}
    return lambda uid, members: answers(place.service, lambda channel: actor_of(uid, channel), members, requests)


def _knows_person(place: RunningServer) -> Callable[[int], bool]:
    """Return whether the policy knows a person behind a user id. Subordinate ids and strangers have none."""

    @lru_cache(maxsize=4096)
    def look_up(uid: int, _minute: int) -> bool:
        return place.approval_server.policy.directory.identify(actor_of(uid).account).is_known

    return lambda uid: look_up(uid, int(time.monotonic() // 60))  # accounts come and go


def _record(place: RunningServer, action: str) -> None:
    server, keys = place.approval_server, place.keys
    detail = {"policy": server.policy.digest or "none", "executor": "yes" if server.executor else "no", "uid": str(os.geteuid())}
    detail |= {"audit_key": server.checkpointer.vkey, "orders_key": fingerprint(keys.orders)}
    with server.store.write(action) as transaction:
        audit_rows.append(transaction, AuditEvent(at=server.clock(), action=action, outcome="ok", channel="server", detail=detail))
    server.checkpointer.publish()


def _sweep(service: FixService, every_s: float, stopping: threading.Event) -> None:
    while not stopping.wait(every_s):
        try:
            service.sweep()
        except TriagebookError as error:
            log_event("server.sweep_failed", reason=error.reason, says=error)


@contextlib.contextmanager
def _only_server(data: Path) -> Iterator[None]:
    """One server a data directory: the kernel frees the lock when the process dies, however it dies."""
    descriptor = os.open(data / "serve.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise TrustError(f"{data}: another server uses it", reason="data_directory") from None
    else:
        yield
    finally:
        os.close(descriptor)


def _group(name: str) -> int:
    """Return the id of a group; a number stands for itself: in a container the machine's groups have no names."""
    if not name:
        return -1
    if is_whole_number(name):
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise TrustError(f"socket group {name!r}: there is none", reason="socket") from None


def _tell_systemd(state: str) -> None:
    """sd_notify(3), where a unit of Type=notify started us."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, contextlib.suppress(OSError):
            notify.connect("\0" + address[1:] if address.startswith("@") else address)
            notify.send(state.encode())
