"""paramiko without what it does not need here.

It imports `invoke` for `Match exec` (50 ms: asyncio, unittest.mock, yaml) and `importlib.metadata` for its own version
(5 to 50 ms). paramiko handles the ImportError of the one; the other gets a stand-in for the length of the import.
"""

import importlib
import sys
import threading
import types
from typing import Any

_VERSION = "5.1"  # paramiko shows it to hosts as `paramiko_VERSION`; pinned in pyproject.toml
_lock = threading.Lock()


def load() -> Any:
    """The paramiko package; imported once."""
    with _lock:
        if "paramiko" in sys.modules:
            return sys.modules["paramiko"]
        return _import_lightly()


def _import_lightly() -> Any:
    is_invoke_loaded = "invoke" in sys.modules
    is_metadata_loaded = "importlib.metadata" in sys.modules
    if not is_invoke_loaded:
        sys.modules["invoke"] = None  # type: ignore[assignment]  # makes `import invoke` an ImportError
    if not is_metadata_loaded:
        stand_in: Any = types.ModuleType("importlib.metadata")
        stand_in.version = lambda name: _VERSION
        sys.modules["importlib.metadata"] = importlib.metadata = stand_in
    try:
        return importlib.import_module("paramiko")
    finally:
        if not is_invoke_loaded:
            del sys.modules["invoke"]
        if not is_metadata_loaded:
            del sys.modules["importlib.metadata"], importlib.metadata
