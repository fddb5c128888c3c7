"""What the official conformance suite calls by name, mounted on our own server: content kinds, progress, inputs, tasks."""

import asyncio
import json
from collections.abc import Mapping
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    Completion,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import BaseModel, Field

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="
Ctx = Context[Any, Any]
Answers = Mapping[str, Any]


def form(message: str, **properties: str) -> ElicitRequest:
    """A form with these members, each required."""
    schema = {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in properties.items()},
        "required": [*properties],
    }
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sampling(prompt: str) -> CreateMessageRequest:
    """A question to the client's model."""
    message = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=100))


def wanted(state: str | None = None, **requests: Any) -> InputRequiredResult:
    """Ask for these inputs."""
    return InputRequiredResult(input_requests=requests, request_state=state)


def content_of(answers: Answers, key: str) -> dict[str, Any]:
    """The members of an accepted form; empty when there is none of that shape."""
    content = getattr(answers.get(key), "content", None)
    return content if isinstance(content, dict) else {}


def mount(server: MCPServer[Any]) -> None:
    """Everything but the tasks' rules."""
    _contents(server)
    _streams(server)
    _inputs(server)
    _forms(server)
    _tasks(server)
    _documents(server)
    _methods(server)


def _contents(server: MCPServer[Any]) -> None:
    @server.tool()
    def test_simple_text() -> str:
        """One text."""
        return "This is a simple text response for testing."

    @server.tool()
    def test_image_content() -> list[ImageContent]:
        """One image."""
        return [ImageContent(type="image", data=PIXEL, mime_type="image/png")]

    @server.tool()
    def test_audio_content() -> list[AudioContent]:
        """One sound."""
        return [AudioContent(type="audio", data=SILENCE, mime_type="audio/wav")]

    @server.tool()
    def test_embedded_resource() -> list[EmbeddedResource]:
        """One resource."""
        return [_embedded("test://embedded-resource", "This is an embedded resource content.")]

    @server.tool()
    def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
        """One of each."""
        text = TextContent(type="text", text="Multiple content types test:")
        image = ImageContent(type="image", data=PIXEL, mime_type="image/png")
        return [text, image, _embedded("test://mixed-content-resource", json.dumps({"test": "data", "value": 123}))]

    @server.tool()
    def test_error_handling() -> str:
        """An error."""
        raise ToolError("This tool intentionally returns an error for testing")

    @server.tool(name="json_schema_2020_12_tool", description="Tool with JSON Schema 2020-12 features")
    def json_schema(name: str = "", address: dict[str, str] | None = None) -> str:
        return f"{name} {address}"

    server._tool_manager.get_tool("json_schema_2020_12_tool").parameters = SCHEMA

    @server.tool()
    def test_headers(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "") -> str:
        """An argument that is mirrored in a header."""
        return region


def _embedded(uri: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type="text/plain", text=text))


def _streams(server: MCPServer[Any]) -> None:
    @server.tool()
    async def test_tool_with_progress(ctx: Ctx) -> str:
        """Three steps."""
        for step in (0, 50, 100):
            await ctx.report_progress(step, 100, f"step {step}")
            await asyncio.sleep(0.05)
        return "done"

    @server.tool()
    async def test_tool_with_logging(ctx: Ctx) -> str:
        """Three lines of log."""
        for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await ctx.info(line)
            await asyncio.sleep(0.05)
        return "logged"

    @server.tool()
    async def test_logging_tool(ctx: Ctx) -> str:
        """A line of log, for who asked for it."""
        await ctx.info("one line")
        return "logged"

    @server.tool()
    async def test_reconnection(ctx: Ctx) -> str:
        """Ends the stream and goes on."""
        await ctx.close_sse_stream()
        await asyncio.sleep(0.2)
        return "Reconnection test completed"

    @server.tool()
    async def test_missing_capability(ctx: Ctx) -> str:
        """Needs sampling."""
        capabilities = ctx.client_capabilities
        if capabilities is None or capabilities.sampling is None:
            data = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "this tool needs sampling", data)
        return "there"


def _inputs(server: MCPServer[Any]) -> None:
    @server.tool()
    async def test_input_required_result_elicitation(ctx: Ctx) -> str | InputRequiredResult:
        """Asks for a name."""
        name = content_of(ctx.input_responses or {}, "user_name").get("name")
        return f"Hello, {name}!" if name else wanted(user_name=form("What is your name?", name="string"))

    @server.tool()
    async def test_streaming_elicitation(ctx: Ctx) -> str | InputRequiredResult:
        """Asks within the response."""
        name = content_of(ctx.input_responses or {}, "user_name").get("name")
        return f"Hello, {name}!" if name else wanted(user_name=form("What is your name?", name="string"))

    @server.tool()
    async def test_input_required_result_sampling(ctx: Ctx) -> str | InputRequiredResult:
        """Asks the model."""
        answer = (ctx.input_responses or {}).get("capital_question")
        text = getattr(getattr(answer, "content", None), "text", None)
        return str(text) if text else wanted(capital_question=sampling("What is the capital of France?"))

    @server.tool()
    async def test_input_required_result_list_roots(ctx: Ctx) -> str | InputRequiredResult:
        """Asks for the roots."""
        answer = (ctx.input_responses or {}).get("client_roots")
        roots = getattr(answer, "roots", None)
        return ", ".join(str(root.uri) for root in roots) if roots else wanted(client_roots=ListRootsRequest())

    @server.tool()
    async def test_input_required_result_request_state(ctx: Ctx) -> str | InputRequiredResult:
        """Carries state over a round."""
        if ctx.input_responses and ctx.request_state == "round-1":
            return "state-ok"
        return wanted("round-1", confirm=form("Please confirm", ok="boolean"))

    @server.tool()
    async def test_input_required_result_tampered_state(ctx: Ctx) -> str | InputRequiredResult:
        """Carries state that nobody may change."""
        if ctx.input_responses and ctx.request_state == "sealed":
            return "state-ok"
        return wanted("sealed", confirm=form("Please confirm", ok="boolean"))

    @server.tool()
    async def test_input_required_result_multiple_inputs(ctx: Ctx) -> str | InputRequiredResult:
        """Asks for three things at once."""
        requests = {
            "user_name": form("What is your name?", name="string"),
            "greeting": sampling("Generate a greeting"),
            "client_roots": ListRootsRequest(),
        }
        return "all there" if set(ctx.input_responses or {}) >= set(requests) else wanted("three", **requests)

    @server.tool()
    async def test_input_required_result_multi_round(ctx: Ctx) -> str | InputRequiredResult:
        """Asks twice."""
        answers = ctx.input_responses or {}
        if ctx.request_state == "two" and content_of(answers, "step2"):
            return f"color {content_of(answers, 'step2').get('color')}"
        if ctx.request_state == "one" and content_of(answers, "step1"):
            return wanted("two", step2=form("Step 2: What is your favorite color?", color="string"))
        return wanted("one", step1=form("Step 1: What is your name?", name="string"))

    @server.tool()
    async def test_input_required_result_capabilities(ctx: Ctx) -> str | InputRequiredResult:
        """Asks only for what the client can do."""
        capabilities = ctx.client_capabilities
        requests: dict[str, Any] = {}
        if capabilities is not None and capabilities.sampling is not None:
            requests["question"] = sampling("What is the capital of France?")
        if capabilities is not None and capabilities.elicitation is not None:
            requests["name"] = form("What is your name?", name="string")
        return "nothing to ask for" if ctx.input_responses or not requests else wanted(**requests)

    @server.prompt()
    async def test_input_required_result_prompt(ctx: Ctx) -> list[UserMessage] | InputRequiredResult:
        """A prompt that asks first."""
        context = content_of(ctx.input_responses or {}, "user_context").get("context")
        if context:
            return [UserMessage(f"Context: {context}")]
        return wanted(user_context=form("What context should the prompt use?", context="string"))


class Person(BaseModel):
    """Two texts."""

    username: str = Field(description="User's response")
    email: str = Field(description="User's email address")


class Defaults(BaseModel):
    """A default of each kind."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: str = Field("active", json_schema_extra={"enum": ["active", "inactive", "pending"]})
    verified: bool = True


def _titled(*values: str) -> list[dict[str, str]]:
    return [{"const": value, "title": f"Option {value}"} for value in values]


class Choices(BaseModel):
    """Every way to write a choice."""

    untitledSingle: str = Field(json_schema_extra={"enum": ["option1", "option2", "option3"]})  # noqa: N815 - names of the suite
    titledSingle: str = Field(json_schema_extra={"oneOf": _titled("value1", "value2")})  # noqa: N815
    legacyEnum: str = Field(json_schema_extra={"enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]})  # noqa: N815
    untitledMulti: list[str] = Field(json_schema_extra={"items": {"type": "string", "enum": ["option1", "option2"]}})  # noqa: N815
    titledMulti: list[str] = Field(json_schema_extra={"items": {"anyOf": _titled("value1", "value2")}})  # noqa: N815


def _forms(server: MCPServer[Any]) -> None:
    async def asked(ctx: Ctx, message: str, schema: type[BaseModel]) -> str:
        answer = await ctx.elicit(message, schema)
        content = answer.data.model_dump_json() if answer.action == "accept" else "{}"
        return f"action={answer.action}, content={content}"

    @server.tool()
    async def test_elicitation(message: str, ctx: Ctx) -> str:
        """Asks the person (2025-11-25)."""
        return f"User response: {await asked(ctx, message, Person)}"

    @server.tool()
    async def test_elicitation_sep1034_defaults(ctx: Ctx) -> str:
        """Asks with defaults."""
        return f"Elicitation completed: {await asked(ctx, 'Please provide user information', Defaults)}"

    @server.tool()
    async def test_elicitation_sep1330_enums(ctx: Ctx) -> str:
        """Asks with choices."""
        return f"Elicitation completed: {await asked(ctx, 'Please select', Choices)}"

    @server.tool()
    async def test_sampling(prompt: str, ctx: Ctx) -> str:
        """Asks the model (2025-11-25)."""
        message = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
        answer = await ctx.session.create_message(messages=[message], max_tokens=100)
        return f"LLM response: {getattr(answer.content, 'text', '')}"


def _tasks(server: MCPServer[Any]) -> None:
    @server.tool()
    def greet(name: str) -> str:
        """Answers at once."""
        return f"Hello, {name}!"

    @server.tool()
    async def slow_compute(seconds: float, label: str = "") -> str:
        """Takes its time."""
        await asyncio.sleep(seconds)
        return f"{label} took {seconds} s"

    @server.tool()
    async def failing_job() -> str:
        """Fails after a while."""
        await asyncio.sleep(0.5)
        raise ToolError("this job fails")

    @server.tool()
    async def protocol_error_job() -> str:
        """Fails in the protocol."""
        raise MCPError(INTERNAL_ERROR, "this job breaks")

    @server.tool()
    async def confirm_delete(filename: str, ctx: Ctx) -> str | InputRequiredResult:
        """Asks before it goes on."""
        if ctx.input_responses:
            return f"{filename}: {ctx.input_responses}"
        return wanted(confirm=form(f"Delete {filename}?", confirm="boolean"))

    @server.tool()
    async def multi_input(ctx: Ctx) -> str | InputRequiredResult:
        """Asks two things."""
        if len(ctx.input_responses or {}) == 2:
            return "both there"
        return wanted(first=form("First?", name="string"), second=form("Second?", name="string"))

    @server.tool()
    async def test_tool_with_task(ctx: Ctx) -> str | InputRequiredResult:
        """Asks in the call, then becomes a task."""
        answers = list((ctx.input_responses or {}).values())
        if not answers:
            return wanted(user_name=form("What is your name?", user_name="string", name="string"))
        return f"Hello, {json.dumps([getattr(answer, 'content', None) for answer in answers])}"


def _documents(server: MCPServer[Any]) -> None:
    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        import base64

        return base64.b64decode(PIXEL)

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:  # noqa: A002
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    @server.resource("test://watched-resource", mime_type="text/plain")
    def watched() -> str:
        return "Watched resource content"

    @server.prompt()
    def test_simple_prompt() -> str:
        """One message."""
        return "This is a simple prompt for testing."

    @server.prompt()
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        """Two arguments."""
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.prompt()
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803 - the suite's name
        """A resource."""
        content = _embedded(resourceUri, "Embedded resource content for testing.")
        return [UserMessage(content), UserMessage("Please process the embedded resource above.")]

    @server.prompt()
    def test_prompt_with_image() -> list[UserMessage]:
        """An image."""
        return [UserMessage(ImageContent(type="image", data=PIXEL, mime_type="image/png")), UserMessage("Please analyze it.")]


def _methods(server: MCPServer[Any]) -> None:
    async def nothing(*_given: Any) -> EmptyResult:
        return EmptyResult()

    low = server._lowlevel_server
    low.add_request_handler("logging/setLevel", SetLevelRequestParams, nothing)
    low.add_request_handler("resources/subscribe", SubscribeRequestParams, nothing)
    low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, nothing)

    @server.completion()
    async def complete(*_given: Any) -> Completion:
        return Completion(values=[], total=0, has_more=False)


SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
