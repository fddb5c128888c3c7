"""The helper's text: clean to the shells and to shellcheck, its constants literal, replaceable only by plain paths."""

import re
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from triagebook.tools.actions import ACTIONS
from triagebook.tools.actions.action import Parameter
from triagebook.tools.actions.helper import build
from triagebook.tools.host_setup import layout


@pytest.mark.parametrize("shell", [("dash", "-n"), ("bash", "--posix", "-n"), ("busybox", "sh", "-n"), ("shellcheck", "-")])
def test_the_helper_is_clean_to_the_shells_and_to_shellcheck(shell: tuple[str, ...]) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not here")
    argv = (*shell, "/dev/stdin") if "-n" in shell else shell
    done = subprocess.run(argv, input=build.source(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_installed_has_the_paths_that_host_install_prepares() -> None:
    values = build.constants(build.source())
    assert (values["CONFIG"], values["STATE"]) == (layout.CONFIG, layout.STATE)
    assert build.render({}) == build.source()
    assert build.render({"CONFIG": "/x"}) == build.source().replace("CONFIG=/etc/triagebook\n", "CONFIG=/x\n")


@pytest.mark.parametrize("replaced", [{"SIGNER": "x"}, {"CONFIG": "/x; rm"}, {"CONFIG": ""}, {"CONFIG": "a\nb"}])
def test_nothing_but_a_constants_plain_path_is_replaced(replaced: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"constant|plain path"):
        build.render(replaced)


def test_the_helper_never_asks_ssh_keygen_for_less_than_verify() -> None:
    text = build.source()
    assert text.count("ssh-keygen -Y verify") == 1
    assert not [
        word for word in ("check-novalidate", "find-principals", "verify-time", "eval ", "systemctl revert") if f" {word}" in text
    ]


def test_no_part_of_the_helper_defines_what_another_one_defines() -> None:
    names = re.findall(r"(?m)^([a-z_0-9]+)\(\) ", build.source())
    assert len(names) > 100
    assert [name for name, count in Counter(names).items() if count > 1] == []


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "two words"},
        {"name": "*"},
        {"name": "x) rm"},
        {"words": ("a b",)},
        {"words": ("-f",)},
        {"words": ("$(reboot)",)},
        {"words": ("a\nb",)},
    ],
)
def test_what_is_written_into_the_helper_of_an_action_is_plain(changed: dict[str, Any]) -> None:
    name, words = changed.get("name", "paint"), changed.get("words", ("red",))
    action = replace(ACTIONS["unit_restart"], name=name, parameters={"colour": Parameter("word", words=words)})
    with pytest.raises(ValueError, match="not a plain word"):
        build.registry({**ACTIONS, name: action})
