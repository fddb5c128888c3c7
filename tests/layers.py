"""The layers of the product, and what its modules really import."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("bot", "tools", "runbooks")

# What may import what within each part: a package imports the ones before it, never one after it.
LAYERS = {
    "runbooks": ("engine", "probes", "library"),
    "tools": (
        "times",
        "redact",
        "log",
        "log_output",
        "periodic",
        "files",
        "own_file",
        "unix_socket",
        "patterns",
        "settings",
        "settings_origin",
        "transport",
        "ssh",
        "inventory",
        "collector",
        "sites",
        "actions",
        "diagnosis",
        "policy",
        "audit",
        "store",
        "jobs",
        "sinks",
        "fixes",
        "host_setup",
        "execute",
        "faces",
        "watch",
        "server",
        "doctor",
        "alerts",
        "mcp_server",
    ),
    "bot": ("render", "slack", "cli"),
    "bot/slack": ("settings", "cards", "outbound", "inbound", "flows", "manifest", "token_check", "app", "face", "start"),
}


def sources() -> list[Path]:
    return [file for part in PARTS for file in sorted((ROOT / part).rglob("*.py"))]


def modules() -> dict[str, Path]:
    """Dotted name -> file."""
    return {
        "triagebook." + ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in sources()
    }


@cache
def imports(file: Path) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """The import statements of a file, wherever they stand."""
    return tuple(node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, (ast.Import, ast.ImportFrom)))


@cache
def arrows() -> list[tuple[str, str]]:
    """(importing module, imported module) of the whole product, late imports too."""
    known = modules()
    found = []
    for name, file in known.items():
        for node in imports(file):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("triagebook."):
                module = str(node.module)
                found += [(name, f"{module}.{alias.name}" if f"{module}.{alias.name}" in known else module) for alias in node.names]
    return found


def room(module: str, layer: str) -> str | None:
    """The package or module directly below a layered folder, or None for what is not below it."""
    prefix = "triagebook." + layer.replace("/", ".") + "."
    return module.removeprefix(prefix).split(".")[0] if module.startswith(prefix) else None
