"""Makes inotify instances and watches until it is refused, and says so: watch.py INSTANCES WATCHES."""

import ctypes
import os
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
instances, watches = int(sys.argv[1]), int(sys.argv[2])
kept = []
for _ in range(instances):
    made = libc.inotify_init1(0)
    if made < 0:
        print("inotify_init1: errno", ctypes.get_errno(), "after", len(kept), flush=True)
        break
    kept.append(made)
folder = "/tmp/watched"
os.makedirs(folder, exist_ok=True)
for number in range(watches):
    path = f"{folder}/{number}"
    with open(path, "w", encoding="ascii"):
        pass
    if libc.inotify_add_watch(kept[0], path.encode(), 0xFFF) < 0:
        print("inotify_add_watch: errno", ctypes.get_errno(), "after", number, flush=True)
        break
time.sleep(600)
