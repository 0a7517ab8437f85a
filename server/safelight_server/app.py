"""The web application: its routes, and what happens around each of them."""

import json
import logging
from collections.abc import Mapping

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from safelight_server.bodies import too_large
from safelight_server.openai_requests import answer_openai_errors
from safelight_server.protocol import Refused
from safelight_server.routes import (
    conversion,
    events,
    health,
    jobs,
    listen,
    models,
    nodes,
    openai,
    packs,
    page,
    pictures,
    queue,
    sharing,
    users,
    workflow_runs,
    workflows,
)
from safelight_server.security import Handler, add_headers, guard
from safelight_server.services import SERVICES, Services

UPLOAD_LIMIT = 100 * 2**20
# In this order: the pages match whatever nothing else does.
_PARTS = (
    *(health, queue, jobs, conversion, events, nodes),
    *(models, pictures, users, workflows, workflow_runs, sharing, openai, packs, listen, page),
)
_log = logging.getLogger("safelight.server")


def make_app(services: Services) -> web.Application:
    """Return the application around the parts of a server."""
    app = web.Application(
        middlewares=[count_answers, answer_errors, answer_openai_errors, guard(services.policy)],
        client_max_size=UPLOAD_LIMIT,
    )
    app[SERVICES] = services
    for part in _PARTS:
        app.router.add_routes(part.routes())
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(_close_sockets)
    return app


@web.middleware
async def count_answers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count every answer for those who watch the server."""
    response = await handler(request)
    request.app[SERVICES].metrics.answered(request.method, response.status)
    return response


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever goes wrong into JSON of one shape, and keep the details out of it."""
    try:
        return await handler(request)
    except Refused as refused:
        return _refusal(refused)
    except web.HTTPRequestEntityTooLarge:
        return _refusal(too_large(UPLOAD_LIMIT))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        kind = (error.reason or "error").lower().replace(" ", "_")
        message = f"{error.reason}: {request.method} {request.path}"
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return _refusal(Refused(kind, message, status=error.status), allow)
    except (ConnectionError, HttpProcessingError) as error:
        return _refusal(Refused("broken_request", "The request broke off.", details=str(error)))
    except Exception:  # the last resort: a mistake of ours ends one request, not the server
        _log.exception("%s %s", request.method, request.path)
        message = "The server made a mistake here; its log says which."
        return _refusal(Refused("internal_error", message, status=500))


def _refusal(refused: Refused, headers: Mapping[str, str] | None = None) -> web.Response:
    answer = web.json_response(refused.body(), status=refused.status, headers=headers, dumps=_dumps)
    if refused.retry_seconds is not None:
        answer.headers["Retry-After"] = str(refused.retry_seconds)
    return answer


def _dumps(value: object) -> str:
    return json.dumps(value, allow_nan=False, default=str)


async def _close_sockets(app: web.Application) -> None:
    app[SERVICES].store.news.close()
    await app[SERVICES].clients.close()
