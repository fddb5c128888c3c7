"""Typed changes: everything this product can do to a host. The helper has the same list."""

from collections.abc import Mapping

from triagebook.tools.actions import (
    process_limit,
    process_signal,
    swap_file,
    sysctl,
    unit_limit,
    unit_restart,
    unit_tasks_max,
    user_nproc,
)
from triagebook.tools.actions.action import Action, Parameter, PlannedChange

__all__ = ["ACTIONS", "Action", "Parameter", "PlannedChange"]

ACTIONS: Mapping[str, Action] = {
    "unit_tasks_max": unit_tasks_max.ACTION,
    "user_nproc": user_nproc.ACTION,
    "sysctl": sysctl.ACTION,
    "process_limit": process_limit.ACTION,
    "unit_limit": unit_limit.ACTION,
    "swap_file": swap_file.ACTION,
    "process_signal": process_signal.ACTION,
    "unit_restart": unit_restart.ACTION,
}
