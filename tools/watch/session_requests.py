"""Answers what `diagnose` of the same host asks of the watch's open session: samples, and the fixed commands of lookups."""

from collections.abc import Mapping, Sequence
from typing import Any

from triagebook.runbooks.engine.facts import Unreadable
from triagebook.tools.collector import program
from triagebook.tools.collector.collect import HostReader
from triagebook.tools.collector.fixed_argv import is_lookup
from triagebook.tools.transport.watch_session import program_digest, sample_text

RUN_S = 20.0
MOST_SUSPECTS = 8


def answer(
    collection: HostReader | None, request: Mapping[str, Any], answers: Sequence[tuple[str, ...]] = ()
) -> Mapping[str, object]:
    """Answer one request: `text`, or `error` in words. A malformed request is refused, never fatal.

    `answers` are the kinds of questions that the session can answer besides its own: each is part of what it reads.
    """
    if collection is None:
        return {"error": "it has no session at this time"}
    if request.get("ask") == "sample":
        return _sample(collection, request, (collection.kinds, *answers))
    if request.get("ask") == "run":
        return _run(collection, request)
    return {"error": "not a request it knows"}


def _sample(collection: HostReader, request: Mapping[str, Any], answers: Sequence[tuple[str, ...]]) -> Mapping[str, object]:
    wanted = request.get("program", "")
    if wanted and wanted not in (program_digest([program.build(kinds)]) for kinds in answers):
        return {"error": "it reads other facts (another runbook or version)"}
    suspects = [pid for pid in request.get("suspects", ()) if isinstance(pid, int) and 0 < pid < 1 << 23]
    n, tag = request.get("n"), request.get("tag")
    if not isinstance(n, int) or not isinstance(tag, str) or not 0 < n < 1_000_000 or not tag.isalnum():
        return {"error": "malformed request"}
    asked = [kind for kind in request.get("asked", ()) if isinstance(kind, str)]
    collection.take_sample(suspects[:MOST_SUSPECTS], asked=asked)
    collection.drop_old_samples()
    sample = collection.samples[-1]
    if not sample.is_complete:
        return {"error": (collection.cost.notes or ("the sample did not come",))[-1]}
    text = sample_text(n, tag, [(record.kind, record.fields) for record in sample.records])
    return {"text": text, "host_key": collection.session.route.host_key}


def _run(collection: HostReader, request: Mapping[str, Any]) -> Mapping[str, object]:
    argv = request.get("argv")
    if not isinstance(argv, list) or not all(isinstance(word, str) for word in argv) or not is_lookup(argv):
        return {"error": "only the commands of lookups are run through a watch"}
    output = collection.run(argv, RUN_S)
    return {"error": output.reason} if isinstance(output, Unreadable) else {"text": output.stdout}
