"""The shape of the product, held by tests: which part may import which, where each SDK lives, what a wheel holds."""

import ast
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.hang import GUARD_S
from tests.layers import LAYERS, PARTS, ROOT, arrows, imports, modules, room, sources

MAY_IMPORT = {"bot": {"bot", "tools", "runbooks"}, "tools": {"tools", "runbooks"}, "runbooks": {"runbooks"}}
SDK_HOMES = {
    "paramiko": ("tools/ssh/",),
    "sqlalchemy": ("tools/store/",),
    "psycopg": ("tools/store/",),
    "alembic": ("tools/store/",),
    "mcp": ("tools/mcp_server/",),
    "slack_bolt": ("bot/slack/",),
    "slack_sdk": ("bot/slack/",),
    "typer": ("bot/",),
    "rich": ("bot/",),
    "jinja2": ("runbooks/engine/template.py",),
    "ruamel": ("runbooks/library/document.py",),
    "cel": ("runbooks/engine/expressions.py",),
    "prometheus_client": ("tools/server/metrics.py",),
    "nats": ("tools/sites/",),
    "greenlet": ("tools/transport/scheduler.py",),
}

# The command line starts the other faces; nothing else knows a face that is not its own.
FACES = {
    "tools/mcp_server": ("bot/cli/mcp.py", "bot/cli/serve.py"),
    "bot/slack": ("bot/cli/serve.py", "bot/cli/slack.py"),
    "bot/cli": (),
}


def imported(file: Path) -> list[str]:
    names: list[str] = []
    for node in imports(file):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        else:
            names.append(node.module or "." * node.level)
    return names


@pytest.mark.parametrize("file", sources(), ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_run_one_way_and_each_sdk_stays_at_home(file: Path) -> None:
    where = str(file.relative_to(ROOT))
    part = where.split("/", 1)[0]
    for name in imported(file):
        top, _, rest = name.partition(".")
        if top == "triagebook" and rest:
            assert rest.split(".", 1)[0] in MAY_IMPORT[part], f"{where} imports {name}"
        assert top not in PARTS, f"{where} imports {name} without its package"
        if top in SDK_HOMES:
            assert where.startswith(SDK_HOMES[top]), f"{where} imports {name}, which belongs into {SDK_HOMES[top]}"


@pytest.mark.parametrize("layer", LAYERS)
def test_a_package_imports_only_those_below_it(layer: str) -> None:
    order = LAYERS[layer]
    below = {path.stem for path in (ROOT / layer).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()} - {
        "__init__"
    }
    assert set(order) == below - {"enomem"}, "each package has its place in LAYERS"
    for source, target in arrows():
        importer, imported_room = room(source, layer), room(target, layer)
        if importer and imported_room:
            assert order.index(imported_room) <= order.index(importer), f"{source} imports {target}"


def test_no_two_modules_import_each_other_by_any_way_round() -> None:
    targets: dict[str, set[str]] = {}
    for source, target in arrows():
        targets.setdefault(source, set()).add(target)
    done: set[str] = set()

    def walk(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way[way.index(module) :], module))
        if module in done:
            return
        for target in sorted(targets.get(module, ())):
            walk(target, (*way, module))
        done.add(module)

    for module in sorted(targets):
        walk(module, ())


@pytest.mark.parametrize("face", FACES)
def test_a_face_imports_no_other_face(face: str) -> None:
    prefix = "triagebook." + face.replace("/", ".")
    for source, target in arrows():
        if target.startswith(prefix) and not source.startswith(prefix):
            file = str(modules()[source].relative_to(ROOT))
            assert file in FACES[face], f"{source} imports {target}"


@pytest.mark.parametrize("folder", ["runbooks/engine", "runbooks/library", "tools", "bot"])
def test_no_runbook_is_known_to_the_product_by_name(folder: str) -> None:
    runbooks = {file.parent.parent.name for file in (ROOT / "runbooks").glob("*/*/runbook.yaml")}
    assert runbooks
    for file in (ROOT / folder).rglob("*"):
        if file.suffix in {".py", ".awk", ".sh", ".yaml", ".j2"}:
            text = file.read_text().lower()
            # As a word: "room" does not name a runbook that is called "oom".
            assert not [name for name in runbooks if re.search(rf"(?<![a-z0-9_]){name}(?![a-z0-9_])", text)], file


def test_runbooks_are_pure_and_know_no_network_clock_or_environment() -> None:
    forbidden = {"socket", "subprocess", "os", "time", "datetime", "random", "urllib", "http", "asyncio"}
    for file in (ROOT / "runbooks").rglob("*.py"):
        assert not forbidden & {name.split(".")[0] for name in imported(file)}, file


def tracked() -> set[str]:
    listed = subprocess.run(["git", "ls-files", *PARTS], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(listed.stdout.splitlines())


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean clone, as a publisher has it."""
    copy = tmp_path_factory.mktemp("release") / "source"
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(ROOT), str(copy)], check=True)
    return copy


def built(source: Path, what: str, folder: Path) -> Path:
    """Return the file that the build backend makes of a clone: `wheel` or `sdist`."""
    program = f"import sys; from setuptools import build_meta as b; print(b.build_{what}(sys.argv[1]))"
    run = subprocess.run(
        [sys.executable, "-c", program, str(folder)], cwd=source, capture_output=True, text=True, check=False, timeout=GUARD_S
    )
    assert run.returncode == 0, run.stderr
    return folder / run.stdout.splitlines()[-1]


def committed(source: Path, *paths: str) -> set[str]:
    listed = subprocess.run(["git", "ls-files", *paths], cwd=source, capture_output=True, text=True, check=True)
    return set(listed.stdout.splitlines())


def test_the_wheel_holds_exactly_the_tracked_files_and_the_man_pages(source: Path, tmp_path: Path) -> None:
    held = {name for name in zipfile.ZipFile(built(source, "wheel", tmp_path)).namelist() if ".dist-info/" not in name}
    data = {name for name in held if ".data/" in name}
    assert held - data == {f"triagebook/{name}" for name in committed(source, *PARTS)}
    assert {name.partition(".data/data/")[2] for name in data} == {
        f"share/man/man1/{Path(name).name}" for name in committed(source, "docs/man")
    }


def test_an_index_would_take_the_release(source: Path, tmp_path: Path) -> None:
    """Of the wheel and of the source: their metadata and their description are what an index accepts (`twine check --strict`)."""
    files = [built(source, what, tmp_path) for what in ("wheel", "sdist")]
    argv = (sys.executable, "-m", "twine", "check", "--strict", *map(str, files))
    run = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=GUARD_S)
    assert (run.returncode, run.stdout.count("PASSED")) == (0, 2), run.stdout + run.stderr
    with tarfile.open(files[1]) as archive:
        names = set(archive.getnames())
    top = files[1].name.removesuffix(".tar.gz")
    assert {f"{top}/{name}" for name in committed(source, *PARTS, "docs/man")} <= names
    assert {f"{top}/{name}" for name in ("README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md")} <= names


def test_the_changelog_begins_with_this_version_or_with_what_comes_after_it() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    heads = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    released = [head for head in heads if head != "Unreleased"]
    assert re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", released[0]), released
    assert "Unreleased" not in heads[1:]


def test_every_package_is_listed() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    packages = {"triagebook." + str(Path(name).parent).replace("/", ".") for name in tracked() if name.endswith("__init__.py")}
    assert listed == packages


def test_no_file_names_a_registry_or_a_path_of_a_machine() -> None:
    hosts = ("pypi" + ".org", "python" + "hosted.org", "npmjs" + ".org", "deb." + "debian.org", "/wo" + "rk/", "/root/.p" + "yenv")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in listed:
        file = ROOT / name
        if file.is_file() and not file.is_symlink():
            text = file.read_bytes().decode("utf-8", "replace")
            assert not [host for host in hosts if host in text], name
