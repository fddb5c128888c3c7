"""The main cards as pictures, by a headless Chromium: `python -m tests.system.slack.screenshots FOLDER [NAME...]`."""

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops
from PIL.PngImagePlugin import PngInfo
from triagebook.bot.render.fleet import row_of
from triagebook.bot.slack.cards import approval, detail, diagnosis, fleet, home, propose
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.tools.fixes.audit_log import AuditReport
from triagebook.tools.fixes.views import FixView, LockView
from triagebook.tools.times import rfc3339

from tests.system.slack.blockkit_html import page
from tests.system.slack.samples import NOW, fix_of, recorded
from tests.system.slack.surfaces import ASKED, TOKENS

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip
TALL, MARGIN = 9000, 12  # pixels
DRAWN_FROM = "drawn-from"  # a text of the PNG
WHY = "Workers cannot fork since 13:50; the queue grows by 400 jobs a minute."
MENTIONS = {"ann": "U0ANN", "bob": "U0BOB", "cleo": "U0CLEO"}


def named(case: str, host: str) -> Diagnosis:
    """A recorded case under a host's name."""
    found = recorded(case)
    times = {"duration_ms": 310, "started_at": "2026-11-23T14:00:00Z", "id": "20261123T140000-cd3697e2"}
    return replace(found, host=replace(found.host, name=host), **times)  # type: ignore[arg-type]


def fix(state: str, **changes: Any) -> FixView:
    """The fix of the busy worker."""
    made = fix_of(named("debian-13-two-at-once", "host01"), 0, state, **changes)
    assert made is not None
    assert made.plan is not None
    return replace(made, plan=replace(made.plan, reason=WHY))


def pictures() -> Mapping[str, list[dict[str, Any]]]:
    """What is on each picture."""
    found, healthy = named("debian-13-two-at-once", "host01"), named("healthy", "host02")
    blind = named("max-map-count-unreadable", "host03")
    cases = ["unit-tasksmax-now"] * 9 + ["healthy"] * 14 + ["overcommit-full"] * 3 + ["everything-unknown"]
    rows = [row_of(named(case, f"web{number:02}")) for number, case in enumerate(cases)]
    link = "https://x.slack.com/archives/C1/p1"
    runs = [home.RecentRun(item.host.name, item.status, item.headline, item.started_at, link) for item in (found, healthy)]
    done = fix("validated", outcome="pids_cgroup is cleared and refuses no more")
    lock = LockView("host07", "F-6k1tw3pz", "F-6k1tw3pz is being applied", "cleo", rfc3339(NOW))
    report = AuditReport(True, 1042, "5f1e9c2ab7d4" * 5, 318, (), "", "")
    return {
        "slack-diagnosis": [diagnosis.verdict(found, ASKED, TOKENS).payload()],
        "slack-approval": [approval.approval(fix("proposed"), TOKENS, MENTIONS).payload()],
        "slack-done": [approval.approval(done, TOKENS, MENTIONS).payload()],
        "slack-propose": [propose.form(found, "tok", propose.Draft(0, {}, WHY))],
        "slack-thread": [card.payload() for card in detail.detail(found)],
        "slack-home": [home.home([home.PendingFix(fix("proposed"), TOKENS)], runs, [lock], home.Health(report, rfc3339(NOW)))],
        "slack-fleet": [fleet.fleet(rows, ASKED, running=2, repeats=11).payload()],
        "slack-unknown": [diagnosis.verdict(item, ASKED, TOKENS).payload() for item in (blind, healthy)],
    }


def main(folder: Path, wanted: Sequence[str]) -> None:
    """Write the pictures of these names, all without names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, payloads in pictures().items():
        if wanted and name not in wanted:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            source = Path(scratch) / "page.html"
            source.write_text(page(payloads))
            target = folder / f"{name}.png"
            own = (f"--user-data-dir={scratch}/profile", f"--screenshot={target}", f"--window-size=650,{TALL}")
            argv = ("chromium", *FLAGS, *own, source.as_uri())
            subprocess.run(argv, check=True, capture_output=True, timeout=600)
            cut_to_content(target, digest(payloads))


def digest(payloads: Sequence[Mapping[str, Any]]) -> str:
    """The digest of the page that a picture is drawn from: it is kept in the picture, and says whether it is current."""
    return hashlib.sha256(page(payloads).encode()).hexdigest()


def drawn_from(file: Path) -> str:
    """The digest of the page that a picture was drawn from; empty: it does not say."""
    with Image.open(file) as image:
        return str(image.info.get(DRAWN_FROM, ""))


def cut_to_content(file: Path, page_digest: str) -> None:
    """Take away the empty ground below the last line, and nothing else: no picture ends in the middle of a card."""
    with Image.open(file) as image:
        whole = image.convert("RGB")
    low = ImageChops.difference(whole, Image.new("RGB", whole.size, "white")).getbbox()
    if low is None or low[3] + MARGIN > TALL:
        raise ValueError(f"{file}: nothing is on it, or more than {TALL} pixels")
    says = PngInfo()
    says.add_text(DRAWN_FROM, page_digest)
    whole.crop((0, 0, whole.width, low[3] + MARGIN)).save(file, optimize=True, pnginfo=says)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
