"""Error texts of open files and of the network stack, as programs and kernels print them: each is of its class."""

import pytest
from triagebook.runbooks.engine.symptoms import route

from tests.runbooks import CATALOG

EMFILE = {
    "emfile": (
        "accept4() failed (24: Too many open files)",
        "socket() failed (24: Too many open files) while connecting to upstream",
        "sshd[812]: error: accept: Too many open files",
        "java.net.SocketException: Too many open files",
        "java.io.IOException: Too many open files",
        "http: Accept error: accept tcp [::]:8080: accept4: too many open files; retrying in 1s",
        "Error: EMFILE: too many open files, open 'x'",
        "OSError: [Errno 24] Too many open files: '/dev/null'",
        "mysqld: Can't open file: './db/t.frm' (errno: 24 \"Too many open files\")",
        "Errcode: 24",
        "[ALERT] 001/000000 (812) : Proxy http reached process FD limit (maxsock=1024). Please check 'ulimit-n' and restart.",
        "ls: error while loading shared libraries: libc.so.6: cannot open shared object file: Error 24",
        "1024 worker_connections exceed open file resource limit: 512",
    ),
    "enfile": (
        "open: Too many open files in system",
        "Failed to acquire system context: Too many open files in system",
        "OSError: [Errno 23] Too many open files in system",
        "VFS: file-max limit 716 reached",
        "Can't create/write to file '/tmp/x' (Errcode: 23)",
        "ENFILE",
        "pipe: Too many open files in system",
    ),
    "instances": (
        "tail: inotify cannot be used, reverting to polling: Too many open files",
        "Failed to allocate directory watch: Too many open files",
        "failed to create fsnotify watcher: too many open files",
        "Couldn't initialize inotify: Too many open files",
        "failed to start Plugin Watcher. err: too many open files",
        "Insufficient watch descriptors available. Reverting to -n.",
        'notify::watcher error: Too many open files (os error 24) about ["/srv"]',
        "The configured user limit (128) on the number of inotify instances has been reached, "
        "or the per-process limit on the number of open file descriptors has been reached.",
    ),
    "watches": (
        "Error: ENOSPC: System limit for number of file watchers reached, watch '/srv/app'",
        "tail: inotify resources exhausted",
        "inotify_add_watch: No space left on device",
        "Failed to watch /var/log; upper limit on inotify watches reached!",
        "inotifywait: cannot watch '/srv': No space left on device",
        "Please increase fs.inotify.max_user_watches",
        "The configured user limit (8192) on the number of inotify watches has been reached.",
    ),
    "epoll": ("epoll_ctl(EPOLL_CTL_ADD): No space left on device", "epoll_ctl: ENOSPC"),
    "other": (
        "ValueError: filedescriptor out of range in select()",
        "*** buffer overflow detected ***: terminated",
        "1024 worker_connections are not enough",
        "FATAL: too many connections for role",
        "ERR max number of clients reached (maxclients)",
        "open: Too many levels of symbolic links",
        "mq_open: Too many open files",
        "fanotify_init: Too many open files",
        "mount: /mnt: mount(2) system call failed: Too many open files.",
        "sendmsg: Too many references: cannot splice",
        "dup2: Bad file descriptor",
        "fcntl(F_DUPFD): Invalid argument",
        "InnoDB: Error: io_setup() failed with EAGAIN",
        "dd: error writing 'x': No space left on device",
    ),
    "": ("Segmentation fault", "Killed", "Connection refused", "fork: Cannot allocate memory"),
}
TCP = {
    "tcp_mem": ("TCP: out of memory -- consider tuning tcp_mem", "Out of socket memory"),
    "orphans": ("TCP: too many orphaned sockets",),
    "conntrack": (
        "nf_conntrack: nf_conntrack: table full, dropping packet",
        "sendto: Operation not permitted",
        "ping: sendmsg: Operation not permitted",
        "connect: EPERM",
    ),
    "ports": (
        "connect() to 10.0.0.9:443 failed (99: Cannot assign requested address) while connecting to upstream",
        "dial tcp 10.0.0.9:443: connect: cannot assign requested address",
        "OSError: [Errno 99] Cannot assign requested address",
        "connect EADDRNOTAVAIL 10.0.0.9:443 - Local",
        "connect: Address already in use",
        "bind(0.0.0.0:0): Address already in use",
    ),
    "listen": (
        "TCP: request_sock_TCP: Possible SYN flooding on port 9006. Sending cookies.  Check SNMP counters.",
        "TCP: request_sock_TCP: Possible SYN flooding on port 0.0.0.0:9006. Sending cookies.",
        "26 times the listen queue of a socket overflowed",
        "26 SYNs to LISTEN sockets dropped",
        "WARNING: The TCP backlog setting of 511 cannot be enforced because net.core.somaxconn is set to the lower value of 128.",
    ),
    "neighbour": ("neighbour: arp_cache: neighbor table overflow!", "neighbour table overflow"),
    "udp": ("UDP: 1524 packet receive errors", "udp_mem exhausted"),
    "slow": (
        "upstream timed out (110: Connection timed out)",
        "read: Connection reset by peer",
        "ECONNRESET",
        "dial tcp 10.0.0.9:443: i/o timeout",
    ),
    "other": (
        "bind() to 0.0.0.0:80 failed (98: Address already in use)",
        "listen tcp 0.0.0.0:8080: bind: address already in use",
        "OSError: [Errno 98] Address already in use",
        "bind() to 10.0.0.9:80 failed (99: Cannot assign requested address)",
        "sendto: No buffer space available",
        "ENOBUFS",
    ),
    "": ("Too many open files", "Segmentation fault", "Killed", "fork: Cannot allocate memory"),
}


@pytest.mark.parametrize(
    ("runbook", "error_class", "text"),
    [
        (name, error_class, text)
        for name, table in (("emfile@1.0.0", EMFILE), ("tcp-memory@1.0.0", TCP))
        for error_class, texts in table.items()
        for text in texts
    ],
)
def test_each_text_is_of_its_class(runbook: str, error_class: str, text: str) -> None:
    found = route(CATALOG.load(runbook), text)
    assert (found.error_class if found else "") == error_class
