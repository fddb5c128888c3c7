"""Fills the navigation of the site: causes, decisions and pages about the product, each under its own title."""

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Put the pages where mkdocs.yml leaves an empty list."""
    docs = Path(config["docs_dir"])
    about = sorted({*docs.glob("*.md")} - {docs / "index.md"})
    filled = {"Causes": _causes(docs), "Decisions": _pages(docs, sorted((docs / "adr").glob("*.md"))), "About": _pages(docs, about)}
    config["nav"] = [{name: filled.get(name, below) for name, below in entry.items()} for entry in config["nav"]]
    return config


def _causes(docs: Path) -> list[Any]:
    folders = sorted(path for path in (docs / "causes").iterdir() if path.is_dir())
    return [
        {folder.name: _pages(docs, [folder / "index.md", *sorted({*folder.glob("*.md")} - {folder / "index.md"})])}
        for folder in folders
    ]


def _pages(docs: Path, files: list[Path]) -> list[Any]:
    return [{_title(file): str(file.relative_to(docs))} for file in files]


def _title(file: Path) -> str:
    return file.read_text().partition("\n")[0].removeprefix("# ")
