"""docs/how-to/serve.md pasted as it is written: what needs no guest runs here, the rest is marked with where it runs."""

import pytest

from tests.hang import GUARD_S
from tests.system.fixes import serve_page
from tests.system.fixes.serve_page import blocks, here, run

MARKS = ("run: here", "run: by systemd", "run: on a guest", "run: on a guest, as ana", "run: on a guest, as ben")


def test_every_command_of_the_page_is_run_or_says_why_not() -> None:
    pasted = [block for block in blocks() if "triagebook " in block.text and block.form != "yaml"]
    assert len(pasted) > 8
    strange = [block for block in pasted if block.mark not in MARKS and not block.mark.startswith("run: nowhere (")]
    assert not strange


@pytest.mark.skipif(not serve_page.can_run(), reason="needs root and mount namespaces")
def test_the_server_is_set_up_in_the_order_of_the_page() -> None:
    script = f"""{here()}
triagebook serve init >/run/again
{serve_page.START}
as ana triagebook fix list
as ana triagebook policy check --action approve --host web01 --risk low --requester ben
as mallory triagebook fix list || echo "stranger: $?"
stat -c '%a %U %n' /var/lib/triagebook /var/lib/triagebook/keys/orders.key /var/lib/triagebook/fix /etc/triagebook-serve/fix.pub
cat /run/again
"""
    done = run(script, 10 * GUARD_S)
    assert done.returncode == 0, (done.stdout[-3000:], done.stderr[-3000:])
    shown, made, after = done.stdout.partition("Nothing was changed.")[0], done.stdout, done.stdout.rpartition("No fixes.")[2]
    assert "would make  account triagebook-serve" in shown
    assert "made        account triagebook-serve" in made
    assert "yes" in made
    assert "No fixes.\n" in made
    assert "stranger: 2" in after, (after, done.stderr)
    assert "700 triagebook-serve /var/lib/triagebook\n600 triagebook-serve /var/lib/triagebook/keys/orders.key\n" in after
    assert "600 triagebook-serve /var/lib/triagebook/fix\n644 root /etc/triagebook-serve/fix.pub\n" in after
    assert "would make" not in after
    assert after.count("is there") == 15
