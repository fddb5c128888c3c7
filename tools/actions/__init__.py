"""Every change that this product can make on a host: one typed action each, and nothing beside them.

A new action is two files and one line here. `X.py` says what it takes, what is read before it, and the change as an
order and as commands. `X.sh` is its half of the helper: how its fields are read, what it refuses, the change, the
look after it, and the way back. The fields of orders, the helper's own lists, the commands shown beside an offer and
what `triagebook runbook lint` accepts all follow from `ACTIONS`.
"""

from collections.abc import Mapping

from triagebook.tools.actions import (
    port_range,
    process_limit,
    process_signal,
    socket_memory,
    swap_file,
    sysctl,
    unit_limit,
    unit_memory_max,
    unit_restart,
    unit_tasks_max,
    user_memlock,
    user_nproc,
)
from triagebook.tools.actions.action import Action, Parameter, PlannedChange

__all__ = ["ACTIONS", "Action", "Parameter", "PlannedChange"]

ACTIONS: Mapping[str, Action] = {
    "unit_tasks_max": unit_tasks_max.ACTION,
    "user_nproc": user_nproc.ACTION,
    "user_memlock": user_memlock.ACTION,
    "sysctl": sysctl.ACTION,
    "socket_memory": socket_memory.ACTION,
    "port_range": port_range.ACTION,
    "process_limit": process_limit.ACTION,
    "unit_limit": unit_limit.ACTION,
    "unit_memory_max": unit_memory_max.ACTION,
    "swap_file": swap_file.ACTION,
    "process_signal": process_signal.ACTION,
    "unit_restart": unit_restart.ACTION,
}
