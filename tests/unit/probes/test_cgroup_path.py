"""Whom a control group belongs to."""

import pytest
from triagebook.runbooks.probes.cgroup_path import CgroupOwner, ancestors, is_login_session, owner_of

NAMES = {1000: "alice"}
USER = "/user.slice/user-1000.slice"
HASH = "c0ffee" * 10


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/system.slice/nginx.service", CgroupOwner("unit", "nginx.service", "", "system")),
        ("/system.slice/system-getty.slice/getty@tty1.service", CgroupOwner("unit", "getty@tty1.service", "", "system")),
        ("/system.slice/docker.service", CgroupOwner("unit", "docker.service", "", "system")),
        ("/system.slice/crio.service", CgroupOwner("unit", "crio.service", "", "system")),
        ("/system.slice/docker.socket", CgroupOwner("unit", "docker.socket", "", "system")),
        ("/system.slice/dev-disk-by\\x2dlabel-x.swap", CgroupOwner("unit", "dev-disk-by\\x2dlabel-x.swap", "", "system")),
        ("/system.slice/postgresql@15-main.service/worker", CgroupOwner("unit", "postgresql@15-main.service", "", "system")),
        ("/acme.slice", CgroupOwner("unit", "acme.slice", "", "system")),
        ("/init.scope", CgroupOwner("unit", "init.scope", "", "system")),
        ("/user.slice", CgroupOwner("unit", "user.slice", "", "system")),
        (USER, CgroupOwner("user", "user-1000.slice", "alice", "system")),
        ("/user.slice/user-7.slice", CgroupOwner("user", "user-7.slice", "7", "system")),
        (f"{USER}/session-3.scope", CgroupOwner("user", "session-3.scope", "alice", "system")),
        (f"{USER}/user@1000.service", CgroupOwner("user", "user@1000.service", "alice", "system")),
        (f"{USER}/user@1000.service/app.slice/foo.service", CgroupOwner("user", "foo.service", "alice", "user")),
        (f"{USER}/user@1000.service/init.scope", CgroupOwner("user", "init.scope", "alice", "user")),
        (
            f"{USER}/user@1000.service/user.slice/libpod-{HASH}.scope/container",
            CgroupOwner("container", f"libpod-{HASH}.scope", "alice", "runtime"),
        ),
        (f"/system.slice/docker-{HASH}.scope", CgroupOwner("container", f"docker-{HASH}.scope", "", "runtime")),
        (
            f"/system.slice/docker-{HASH}.scope/system.slice/nginx.service",
            CgroupOwner("container", f"docker-{HASH}.scope", "", "runtime"),
        ),
        (f"/docker/{HASH}", CgroupOwner("container", "", "", "runtime")),
        (f"/docker/{HASH}/system.slice/nginx.service", CgroupOwner("container", "", "", "runtime")),
        (f"/kubepods/burstable/pod1/{HASH}", CgroupOwner("container", "", "", "runtime")),
        ("/kubepods.slice", CgroupOwner("container", "kubepods.slice", "", "runtime")),
        (
            f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/cri-containerd-{HASH}.scope",
            CgroupOwner("container", f"cri-containerd-{HASH}.scope", "", "runtime"),
        ),
        (f"/machine.slice/crio-{HASH}.scope", CgroupOwner("container", f"crio-{HASH}.scope", "", "runtime")),
        ("/lxc.payload.web/system.slice/cron.service", CgroupOwner("container", "", "", "runtime")),
        ("/lxc/web", CgroupOwner("container", "", "", "runtime")),
        ("/batch/job7", CgroupOwner("cgroup", "", "", "none")),
        ("/", CgroupOwner("cgroup", "", "", "none")),
        ("", CgroupOwner("cgroup", "", "", "none")),
    ],
)
def test_a_path_tells_its_owner(path: str, owner: CgroupOwner) -> None:
    assert owner_of(path, NAMES) == owner


def test_ancestors_come_nearest_first_without_the_root() -> None:
    assert ancestors("/a/b/c") == ("/a/b", "/a")
    assert ancestors("/a") == ancestors("/") == ancestors("") == ()


def test_login_sessions_are_those_below_a_users_slice() -> None:
    assert is_login_session(f"{USER}/session-3.scope")
    assert not is_login_session("/system.slice/user@.service")
