"""What a last round read is cited so that the answer can be stored, sent and read back."""

from dataclasses import dataclass
from typing import cast

from triagebook.runbooks.engine.diagnosis import FactEntry
from triagebook.runbooks.engine.plain_data import from_plain, to_plain
from triagebook.runbooks.probes.inotify_use import InotifyUse
from triagebook.tools.collector.collect import HostReader
from triagebook.tools.diagnosis import lookups


@dataclass(frozen=True)
class Output:
    stdout: str


class Host:
    """A host whose only program says that root looked and nobody has an inotify instance."""

    def run(self, _argv: tuple[str, ...], _timeout_s: float) -> Output:
        return Output("0 root /proc/812/fd/7\nuid 0\n/proc/812/fd/../fdinfo/7:3\nend\n")


def test_elements_that_a_program_counted_are_facts_and_no_reading_of_one_value() -> None:
    entries, answers = lookups.ask(cast(HostReader, Host()), [("use", "inotify_use", "users")])
    found = answers["use", "users"]
    assert isinstance(found, InotifyUse)
    assert [(user.user, user.instances, user.watches) for user in found.users.items] == [("root", 1, 3)]
    assert [entry.id for entry in entries] == ["use[users].instances", "use[users].most"]
    assert [from_plain(FactEntry, to_plain(entry)) for entry in entries] == entries
