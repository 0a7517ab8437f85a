"""The websocket: events out, submissions in, and what was missed on demand."""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Mapping

from aiohttp import WSMsgType, web

from safelight_server.bodies import JSON_LIMIT, parse_json, read_submission
from safelight_server.protocol import (
    ExecutingNow,
    FeatureFlags,
    JsonObject,
    Refused,
    Status,
    Submitted,
)
from safelight_server.routes import both
from safelight_server.routes.events import Following
from safelight_server.services import Services, services_of
from safelight_server.sockets import Client

_HEARTBEAT_SECONDS = 30.0
_log = logging.getLogger("safelight.server")


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    return both("GET", "/ws", listen)


async def listen(request: web.Request) -> web.WebSocketResponse:
    """Let a client hear of its jobs for as long as it stays, and submit others."""
    services = services_of(request)
    client_id = request.query.get("clientId") or uuid.uuid4().hex
    if len(client_id) > 200 or not client_id.isprintable():
        raise Refused("invalid_query", '"clientId" must be at most 200 printable characters.')
    socket = web.WebSocketResponse(
        heartbeat=_HEARTBEAT_SECONDS, compress=False, max_msg_size=JSON_LIMIT
    )
    await socket.prepare(request)
    client = Client(client_id, socket)
    paused = services.dispatcher.paused
    client.say(Status(await services.jobs.remaining(), client_id, paused))
    sending = asyncio.create_task(_send(client))
    try:
        await _attend(services, client)
    finally:
        services.clients.leave(client)
        sending.cancel()
        await services.dispatcher.audience_changed(client)
    return socket


async def _attend(services: Services, client: Client) -> None:
    run = services.dispatcher.run_of(client)
    if run is not None and run.node is not None:
        client.say(ExecutingNow(run.node))
    services.clients.join(client)
    await services.dispatcher.audience_changed(client)
    following, first = Following(services.log, client), True
    try:
        async for message in client.socket:
            if message.type == WSMsgType.TEXT:
                await _receive(services, client, following, message.data, first)
                first = False
    finally:
        following.stop()


async def _send(client: Client) -> None:
    with contextlib.suppress(ConnectionError):
        await client.send()


async def _receive(
    services: Services, client: Client, following: Following, text: str, first: bool
) -> None:
    """Follow what a client says; what is not understood is passed over."""
    try:
        said = parse_json(text)
    except Refused as refused:
        _log.debug("A client said something that is not JSON: %s", refused.details)
        return
    if not isinstance(said, Mapping):
        return
    data = said.get("data")
    if not isinstance(data, Mapping):
        return
    if said.get("type") == "feature_flags" and first:
        client.wants_metadata = data.get("supports_preview_metadata") is True
        client.say(FeatureFlags())
    elif said.get("type") == "submit":
        status, body = await _submit(services, client, data)
        client.say(Submitted(data.get("request"), status, body))
    elif said.get("type") == "resume":
        following.begin(data)


async def _submit(services: Services, client: Client, data: JsonObject) -> tuple[int, JsonObject]:
    """Do what POST /prompt does; return its status and its answer."""
    try:
        submission = read_submission({"client_id": client.id, **data})
        accepted = await services.jobs.submit(submission)
    except Refused as refused:
        return refused.status, refused.body()
    except Exception:  # as for any request: a mistake of ours ends this one, not the socket
        _log.exception("submission over the socket")
        message = "The server made a mistake here; its log says which."
        return 500, Refused("internal_error", message).body()
    return 200, accepted.body()
