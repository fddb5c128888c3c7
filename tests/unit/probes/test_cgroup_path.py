"""Whom a control group belongs to."""

import pytest
from triagebook.runbooks.probes.cgroup_path import Owner, ancestors, is_login_session, owner_of, unescaped

NAMES = {1000: "alice"}
USER = "/user.slice/user-1000.slice"
HASH = "c0ffee" * 10


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/system.slice/nginx.service", Owner("unit", "nginx.service", "", "system")),
        ("/system.slice/system-getty.slice/getty@tty1.service", Owner("unit", "getty@tty1.service", "", "system")),
        ("/system.slice/docker.service", Owner("unit", "docker.service", "", "system")),
        ("/system.slice/crio.service", Owner("unit", "crio.service", "", "system")),
        ("/system.slice/docker.socket", Owner("unit", "docker.socket", "", "system")),
        ("/system.slice/dev-disk-by\\x2dlabel-x.swap", Owner("unit", "dev-disk-by\\x2dlabel-x.swap", "", "system")),
        ("/system.slice/postgresql@15-main.service/worker", Owner("unit", "postgresql@15-main.service", "", "system")),
        ("/acme.slice", Owner("unit", "acme.slice", "", "system")),
        ("/init.scope", Owner("unit", "init.scope", "", "system")),
        ("/user.slice", Owner("unit", "user.slice", "", "system")),
        (USER, Owner("user", "user-1000.slice", "alice", "system")),
        ("/user.slice/user-7.slice", Owner("user", "user-7.slice", "7", "system")),
        (f"{USER}/session-3.scope", Owner("user", "session-3.scope", "alice", "system")),
        (f"{USER}/user@1000.service", Owner("user", "user@1000.service", "alice", "system")),
        (f"{USER}/user@1000.service/app.slice/foo.service", Owner("user", "foo.service", "alice", "user")),
        (f"{USER}/user@1000.service/init.scope", Owner("user", "init.scope", "alice", "user")),
        (
            f"{USER}/user@1000.service/user.slice/libpod-{HASH}.scope/container",
            Owner("container", f"libpod-{HASH}.scope", "alice", "runtime"),
        ),
        (f"/system.slice/docker-{HASH}.scope", Owner("container", f"docker-{HASH}.scope", "", "runtime")),
        (
            f"/system.slice/docker-{HASH}.scope/system.slice/nginx.service",
            Owner("container", f"docker-{HASH}.scope", "", "runtime"),
        ),
        (f"/docker/{HASH}", Owner("container", "", "", "runtime")),
        (f"/docker/{HASH}/system.slice/nginx.service", Owner("container", "", "", "runtime")),
        (f"/kubepods/burstable/pod1/{HASH}", Owner("container", "", "", "runtime")),
        ("/kubepods.slice", Owner("container", "kubepods.slice", "", "runtime")),
        (
            f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/cri-containerd-{HASH}.scope",
            Owner("container", f"cri-containerd-{HASH}.scope", "", "runtime"),
        ),
        (f"/machine.slice/crio-{HASH}.scope", Owner("container", f"crio-{HASH}.scope", "", "runtime")),
        ("/lxc.payload.web/system.slice/cron.service", Owner("container", "", "", "runtime")),
        ("/lxc/web", Owner("container", "", "", "runtime")),
        ("/batch/job7", Owner("cgroup", "", "", "none")),
        ("/", Owner("cgroup", "", "", "none")),
        ("", Owner("cgroup", "", "", "none")),
    ],
)
def test_a_path_tells_its_owner(path: str, owner: Owner) -> None:
    assert owner_of(path, NAMES) == owner


def test_ancestors_come_nearest_first_without_the_root() -> None:
    assert ancestors("/a/b/c") == ("/a/b", "/a")
    assert ancestors("/a") == ancestors("/") == ancestors("") == ()


def test_names_for_people_lose_the_escapes() -> None:
    assert unescaped("app-foo\\x2dbar.service") == "app-foo-bar.service"


def test_login_sessions_are_those_below_a_users_slice() -> None:
    assert is_login_session(f"{USER}/session-3.scope")
    assert not is_login_session("/system.slice/user@.service")
