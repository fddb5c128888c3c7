"""Versions, digests, the lock; broken runbooks and what is said of them."""

from pathlib import Path

import pytest
from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.library.catalog import Catalog, catalog, load_text
from triagebook.tools.files import FileCache

from tests.runbooks import CATALOG

OWN = CATALOG
TEXT = (OWN.find("enomem@1.0.0").folder / "runbook.yaml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("when: it.room <= 0}", "when: it.rom <= 0}", "states[1].when: unknown fact 'it.rom' (did you mean 'it.room'?)"),
        ("each: pids.limited", "each: pids.limitd", "each: unknown fact 'pids.limitd' (did you mean 'pids.limited'?)"),
        ("strength: likely", "strength: likly", "'likly' is not possible here (did you mean 'likely'?)"),
        ("kind: pids_cgroups", "kind: pids_cgroup", "unknown kind 'pids_cgroup' (did you mean 'pids_cgroups'?)"),
        ("    explains: [fork_eagain, thread]", "    explain: [fork_eagain, thread]", "unknown key 'explain' (did you mean 'explains'?)"),
        ("{{ it.unit or it.path }} is at its task limit", "{{ it.unti }} is at its task limit", "unknown fact 'it.unti' (did you mean 'it.unit'?)"),
        ("- id: raise_tasks_max\n        when", "- id: raise_task_max\n        when", "unknown remediation 'raise_task_max' (did you mean"),
        ("undo: none\n    persist: never", "undo: maybe\n    persist: never", "'maybe' is not possible here"),
        ("    risk: high\n", "    risk: low\n", "a change that cannot be undone has risk: high"),
        ("requires: [pids_cgroup]", "requires: [overcommit]", "'raise_tasks_max' does not list 'pids_cgroup' in `requires`"),
        ("{active: at_limit, strength: certain, when: it.room <= 0}", "{active: at_limit, strength: certain, when: 'it.room * 0.5 <= 1.0'}", "No such overload"),
        ("evidence: [it.tasks, it.soft", "evidence: [it.tasks + 1, it.soft", "'it.tasks + 1' is not the path of a fact"),
        ("id: enomem\n", "id: enomem\nid: enomem\n", "the key stands here twice"),
    ],
)  # fmt: skip
def test_a_broken_runbook_is_refused_with_file_line_path_and_the_nearest_right_word(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(RunbookError) as caught:
        load_text(TEXT.replace(old, new, 1), "enomem/1.0.0/runbook.yaml")
    file, line, rest = str(caught.value).split(":", 2)
    assert file == "enomem/1.0.0/runbook.yaml"
    assert int(line) > 1
    assert message in rest


def edited(tmp_path: Path, text: str, lock: str = "") -> Catalog:
    folder = tmp_path / "enomem" / "1.0.0"
    folder.mkdir(parents=True)
    (folder / "runbook.yaml").write_text(text)
    (tmp_path / "runbooks.lock").write_text(lock)
    return Catalog((tmp_path,))


def test_a_released_version_that_was_edited_is_refused(tmp_path: Path) -> None:
    digest = OWN.load("enomem@1.0.0").digest
    changed = edited(tmp_path, TEXT.replace("it.room <= 50", "it.room <= 49"), f"enomem@1.0.0 {digest}\n")
    with pytest.raises(RunbookError, match="is released and was changed") as caught:
        changed.load("enomem")
    assert caught.value.reason == "locked"


def test_a_released_version_whose_folder_is_gone_is_lost(tmp_path: Path) -> None:
    digest = OWN.load("enomem@1.0.0").digest
    assert edited(tmp_path, TEXT, f"enomem@1.0.0 {digest}\nenomem@0.9.0 {digest}\n").missing_releases() == ("enomem@0.9.0",)
    assert OWN.missing_releases() == ()


def test_a_comment_or_layout_is_no_content(tmp_path: Path) -> None:
    digest = OWN.load("enomem@1.0.0").digest
    assert edited(tmp_path, f"# moved\n\n{TEXT}", f"enomem@1.0.0 {digest}\n").load("enomem").digest == digest


def test_a_folder_with_another_name_than_its_runbook_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunbookError, match=r"enomem@1\.0\.1 stands in the folder of enomem@1\.0\.0"):
        edited(tmp_path, TEXT.replace("version: 1.0.0", "version: 1.0.1")).load("enomem")


def test_the_plain_id_is_the_newest_released_version(tmp_path: Path) -> None:
    for version in ("1.0.0", "1.9.0", "1.10.0"):
        (tmp_path / "enomem" / version).mkdir(parents=True)
        (tmp_path / "enomem" / version / "runbook.yaml").write_text(TEXT.replace("version: 1.0.0", f"version: {version}"))
    both = Catalog((tmp_path,))
    assert both.find("enomem").version == "1.10.0"
    (tmp_path / "runbooks.lock").write_text(f"enomem@1.9.0 {both.load('enomem@1.9.0').digest}\n")
    assert both.find("enomem").version == "1.9.0"
    assert both.find("enomem@1.10.0").version == "1.10.0"


def test_the_cache_gives_the_same_runbook_and_a_spoiled_one_is_ignored(tmp_path: Path) -> None:
    plain, cached = CATALOG.load("enomem"), catalog(cache=FileCache(tmp_path))
    assert cached.load("enomem") == plain
    (file,) = tmp_path.glob("*.json")
    assert cached.load("enomem") == plain
    assert cached.load("enomem").digest == plain.digest
    file.write_text("{")
    assert cached.load("enomem").digest == plain.digest


def test_a_runbook_makes_the_same_program_from_its_file_and_from_the_cache(tmp_path: Path) -> None:
    from triagebook.tools.diagnosis.lookups import kinds_to_collect

    first, second = (kinds_to_collect([catalog(cache=FileCache(tmp_path)).load("enomem")]) for _ in range(2))
    assert list(tmp_path.iterdir())
    assert first == second


def named_elsewhere(name: str) -> set[str]:
    """The runbooks that this one says another matter belongs to."""
    runbook = CATALOG.load(name)
    return {item.belongs_to for item in (*runbook.checks, *runbook.symptoms)} - {""}


@pytest.mark.parametrize("name", CATALOG.release_ids())
def test_a_runbook_that_another_matter_is_said_to_belong_to_is_there(name: str) -> None:
    assert named_elsewhere(name) <= set(CATALOG.release_ids())
    assert "pid-namespaces" in named_elsewhere("enomem@1.0.0"), "the first version named two that never came"
