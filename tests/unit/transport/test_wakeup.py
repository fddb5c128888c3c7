"""A wait that another thread ends."""

import os
import threading

from triagebook.tools.transport.wakeup import Wakeup

from tests.hang import GUARD_S


def test_a_wait_ends_once_another_thread_says_so_and_the_next_one_waits_again() -> None:
    wakeup = Wakeup()
    teller = threading.Thread(target=wakeup.set)
    teller.start()
    assert wakeup.wait(GUARD_S)
    teller.join()
    assert not wakeup.wait(0.0)
    wakeup.close()


def test_what_is_set_before_the_wait_is_not_lost() -> None:
    wakeup = Wakeup()
    wakeup.set()
    wakeup.set()
    assert wakeup.wait(0.0)
    assert not wakeup.wait(0.0)
    wakeup.close()


def test_setting_it_after_its_end_writes_into_no_other_file() -> None:
    wakeup = Wakeup()
    wakeup.close()
    read, write = os.pipe2(os.O_NONBLOCK)  # has the number of the closed descriptor now
    wakeup.set()
    assert os.write(write, b"x") == 1
    assert os.read(read, 16) == b"x"
    for descriptor in (read, write):
        os.close(descriptor)
