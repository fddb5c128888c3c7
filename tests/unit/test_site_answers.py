"""What comes for a question that a site was asked."""

import threading

from triagebook.tools.sites.answers import OpenQuestion

from tests.hang import GUARD_S


def test_what_came_before_it_was_looked_for_does_not_pass_for_silence_afterwards() -> None:
    question = OpenQuestion("eu1")
    question.add("lost")
    assert question.next(GUARD_S) == "lost"
    late = threading.Timer(0.05, question.add, ["denied"])
    late.start()
    assert question.next(GUARD_S) == "denied"
    late.join()
    assert question.next(0.0) is None
    question.wakeup.close()
