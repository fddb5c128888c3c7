"""Holds open files until it is refused, and says so: fds.py null|deleted|high|select N."""

import os
import select
import sys
import time

mode, wanted = sys.argv[1], int(sys.argv[2])
kept: list[int] = []


def take_one() -> None:
    """Open one more file in the way of the mode."""
    if mode == "deleted":
        path = f"/tmp/acme-{len(kept)}.tmp"
        kept.append(os.open(path, os.O_CREAT | os.O_RDWR))
        os.unlink(path)
    elif mode == "high":
        kept.append(os.dup2(os.open("/dev/null", 0), wanted))
    else:
        kept.append(os.open("/dev/null", 0))


while True:
    try:
        while len(kept) < (1 if mode == "high" else wanted):
            take_one()
        if mode == "select":
            select.select([kept[-1]], [], [], 0)
        print("holding", len(kept), flush=True)
        time.sleep(600)
    except OSError as error:
        print("open failed: errno", error.errno, "holding", len(kept), flush=True)
        time.sleep(3)
    except ValueError as error:
        print(error, flush=True)
        time.sleep(600)
