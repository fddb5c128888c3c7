"""Builds the manifest of the Slack app: exactly the scopes and events that the listeners need."""

from collections.abc import Iterable, Mapping
from typing import Any

from triagebook.bot.slack.flows.direct import PROMPTS
from triagebook.bot.slack.inbound.http import PATH
from triagebook.bot.slack.outbound.lost_messages import HISTORY_SCOPES
from triagebook.bot.slack.settings import GENERIC

NAME = "triagebook"
EVENTS = ("app_home_opened", "app_mention")
SHORTCUT, SHORTCUT_TITLE = "diagnose_message", "Diagnose host in message"  # Slack allows 24 characters
# Each scope with the calls and events that need it.
SCOPES: Mapping[str, str] = {
    "app_mentions:read": "app_mention",
    "chat:write": "chat.postMessage, chat.update, chat.postEphemeral",
    "commands": "slash commands and the shortcut",
    "files:write": "files.getUploadURLExternal, files.completeUploadExternal",
    "usergroups:read": "usergroups.users.list: who is in a user group that approves?",
    "users:read": "users.info: is who decides a full member of this workspace?",
}


# With `has_agent`: people write to the app itself, in its agent view or as a direct message.
AGENT_EVENTS = ("message.im",)
AGENT_SCOPES: Mapping[str, str] = {
    "assistant:write": "the agent view and its suggested prompts",
    "im:history": "message.im: what people write to the app itself",
}
AGENT_SAYS = "Names the limit that refuses memory, processes or files on a Linux host. Write the host and the error text."


def manifest(commands: Iterable[str], url: str = "", *, has_history: bool = False, has_agent: bool = False) -> dict[str, Any]:
    """Return the manifest for Socket Mode, or for HTTP at `url` (https://NAME).

    `has_history` also requests to read channels, `has_agent` to be written to."""
    prompts = [{"title": title, "message": message} for title, message in PROMPTS.items()]
    agent = {"agent_view": {"agent_description": AGENT_SAYS, "suggested_prompts": prompts}} if has_agent else {}
    scopes = {*SCOPES, *(HISTORY_SCOPES if has_history else ()), *(AGENT_SCOPES if has_agent else ())}
    address = {"url": f"{url.rstrip('/')}{PATH}"} if url else {}
    request = {"request_url": address["url"]} if url else {}
    return {
        "display_information": {
            "name": NAME,
            "description": "Diagnoses Linux hosts, and fixes them once another person approved",
            "background_color": "#1d3557",
        },
        "features": {
            "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True, "messages_tab_read_only_enabled": not has_agent},
            **agent,
            "bot_user": {"display_name": NAME, "always_online": True},
            "shortcuts": [
                {
                    "name": SHORTCUT_TITLE,
                    "type": "message",
                    "callback_id": SHORTCUT,
                    "description": "Find the host in this message and diagnose it",
                }
            ],
            "slash_commands": [
                {
                    "command": command,
                    "description": "Diagnose a host",
                    "usage_hint": "HOST [error text] | help" if command == GENERIC else "HOST [unit=... symptom=...] | help",
                    "should_escape": False,
                    **address,
                }
                for command in sorted(commands)
            ],
        },
        "oauth_config": {"scopes": {"bot": sorted(scopes)}},
        "settings": {
            "event_subscriptions": {**request, "bot_events": [*EVENTS, *(AGENT_EVENTS if has_agent else ())]},
            "interactivity": {
                "is_enabled": True,
                **request,
                **({"message_menu_options_url": address["url"]} if url else {}),
            },
            "org_deploy_enabled": False,
            "socket_mode_enabled": not url,
            "token_rotation_enabled": False,
        },
    }
