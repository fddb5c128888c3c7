"""Between server and worker: what a further sample is asked for, and a host that is looked after while nothing is asked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from triagebook.tools.sites import worker
from triagebook.tools.sites.host_session import HostSession, Ways
from triagebook.tools.sites.process import SiteProcess
from triagebook.tools.transport.base import Login, Route


@dataclass
class Noted:
    """A session at a worker, as the server has it: notes what is asked."""

    asked: list[tuple[Any, ...]] = field(default_factory=list)
    login: Login = field(default_factory=lambda: Login("exec", "ok"))
    route: Route = field(default_factory=lambda: Route("site eu1"))

    def sample(self, n: int, suspects: Sequence[int], asked: Sequence[str], *, is_brief: bool) -> str:
        self.asked.append((n, list(suspects), list(asked), is_brief))
        return ""


def test_the_line_that_paces_a_collector_is_asked_of_the_worker_whole() -> None:
    session = Noted()
    process = SiteProcess(session, "")  # type: ignore[arg-type]
    for line in (b"sample\n", b"sample brief\n", b"sample brief +threads 7 12\n"):
        process.write(line)
    assert session.asked == [(2, [], [], False), (3, [], [], True), (4, [7, 12], ["threads"], True)]


def test_a_worker_takes_a_brief_sample_where_a_brief_one_is_asked() -> None:
    taken: list[dict[str, Any]] = []
    session = HostSession(Ways(None), {"host": "web01"})  # type: ignore[arg-type]
    sample = SimpleNamespace(records=())
    session._reader = SimpleNamespace(  # type: ignore[assignment]
        take_sample=lambda suspects, **values: taken.append({"suspects": suspects, **values}),
        drop_old_samples=lambda: None,
        samples=(sample,),
    )
    session._tag = "ab"
    for is_brief in (True, False, "yes"):
        session.answer({"ask": "sample", "n": 2, "suspects": [7], "asked": ["threads"], "brief": is_brief})
    assert [found.pop("is_brief") for found in taken] == [True, False, False]
    assert taken == [{"suspects": [7], "asked": ("threads",)}] * 3


def test_while_nothing_is_asked_a_host_is_looked_after_and_a_session_that_broke_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "KEEPALIVE_S", 0.01)
    looks: list[int] = []

    def keep_alive() -> None:
        looks.append(1)
        session.is_over = len(looks) == 3

    session = SimpleNamespace(hold_s=300.0, is_over=False, keep_alive=keep_alive)
    opened = worker._Open(session)  # type: ignore[arg-type]
    assert opened.next() is None
    assert len(looks) == 3
    session.is_over = False
    opened.add({"ask": "sample"}, "reply")
    assert opened.next() == ({"ask": "sample"}, "reply")
    assert len(looks) == 3
