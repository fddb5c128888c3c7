"""Starts the Slack face of `triagebook serve --slack`; everything is checked before anything is served."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import field
from typing import TYPE_CHECKING

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.log import log_event

if TYPE_CHECKING:
    from triagebook.bot.slack.inbound.http import Endpoint
    from triagebook.bot.slack.settings import Credentials, SlackSettings
    from triagebook.tools.alerts.answer import Show
    from triagebook.tools.server.options import Hosts
    from triagebook.tools.server.run import RunningServer


@dataclass(frozen=True)
class SlackFace:
    """The Slack face as `serve` starts it beside the approval server. `mounted` is served by another face's listener."""

    settings: "SlackSettings"
    credentials: "Credentials"
    hosts: "Hosts"
    listen: str = ""
    endpoint: "Endpoint | None" = None
    mounted: "Mapping[str, Endpoint]" = field(default_factory=dict)
    shows_of_alerts: "list[Show]" = field(default_factory=list)  # what the intake of alerts tells of each change

    def __call__(self, place: "RunningServer") -> AbstractContextManager[object]:
        """Serve Slack for as long as the block lasts."""
        return self._serve(place)

    @contextmanager
    def _serve(self, place: "RunningServer") -> Iterator[None]:
        from triagebook.bot.slack import face  # noqa: PLC0415
        from triagebook.tools.diagnosis.worker import WorkerProcess  # noqa: PLC0415

        with WorkerProcess(self.hosts.settings, self.hosts.ssh_config) as asker:
            made = face.build(place, self.hosts, self.settings, self.credentials, asker)
            self.shows_of_alerts.append(made.alerts.show)
            if self.endpoint is None:
                with face.run(made, self.credentials):
                    log_event("server.listening", face="slack", address="Socket Mode")
                    yield
                return
            with face.run(made, endpoint=self.endpoint), self._listen():
                yield

    @contextmanager
    def _listen(self) -> Iterator[None]:
        if self.mounted or self.endpoint is None:
            yield
            return
        from triagebook.bot.slack.inbound.http import PATH  # noqa: PLC0415
        from triagebook.tools.server.web import listen  # noqa: PLC0415 - uvicorn, for HTTP only

        with listen(self.listen, self.endpoint, "slack-http") as port:
            log_event("server.listening", face="slack", address=f"{self.listen.rpartition(':')[0]}:{port}{PATH}")
            yield


def slack_face(listen: str, hosts: "Hosts", approvals: str = "", *, is_shared: bool = False) -> SlackFace:
    """Build all but the approval server. Raises UsageError: no token, no signing secret, an invalid setting."""
    from triagebook.bot.slack import face  # noqa: F401, PLC0415 - is the SDK there? `bot/cli/extras.py` says how to install it
    from triagebook.bot.slack.inbound.http import PATH, Endpoint  # noqa: PLC0415
    from triagebook.bot.slack.settings import credentials, slack_settings  # noqa: PLC0415
    from triagebook.tools.diagnosis import setup  # noqa: PLC0415

    found = credentials(over_http=bool(listen))
    runbooks = tuple(dict.fromkeys(entry.id for entry in hosts.service.catalog.entries()))
    endpoint = Endpoint() if listen else None
    mounted = {PATH: endpoint} if endpoint is not None and is_shared else {}
    raw = {**setup.settings().slack, **({"approvals": approvals} if approvals else {})}
    return SlackFace(slack_settings(raw, runbooks), found, hosts, listen, endpoint, mounted)
