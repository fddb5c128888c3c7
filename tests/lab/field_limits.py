"""Faults that a plain user can prove by threads, that a fix raises, or that cgroup v1 alone has. Data only."""

from tests.lab.field_recipes import FX, Recipe

LX = "/opt/acme/bin/lx"

LIMITS = {
    "threads-and-mappings": Recipe(
        title="vm.max_map_count 1000: a program of some 490 threads, each with two mappings, is refused the next one",
        commands=f"sysctl -qw vm.max_map_count=1000; systemd-run -q --unit=thr -p User=acme {FX} threads 2000 65536; sleep 5",
        symptom="pthread_create failed: Resource temporarily unavailable",
        cause="max_map_count",
    ),
    "memlock-of-a-service": Recipe(
        title="a service that wants 12 MiB locked below the 8 MiB it may",
        commands=f"systemd-run -q --unit=locks -p User=acme -p LimitMEMLOCK=8M {LX} locks; sleep 4",
        symptom="failed to lock memory: cannot allocate memory",
        cause="locked_memory",
    ),
    "memory-and-swap-v1": Recipe(
        title="cgroup v1: memory and swap together are limited, and nobody may be killed",
        commands=(
            f"systemd-run -q --unit=vic -p User=acme -p MemoryMax=64M -p OOMScoreAdjust=-1000 {FX} memcg 200 1; "
            "echo 67108864 > /sys/fs/cgroup/memory/system.slice/vic.service/memory.memsw.limit_in_bytes; sleep 8"
        ),
        symptom="fork: Cannot allocate memory",
        cause="cgroup_without_victim",
        is_legacy_only=True,
    ),
}
