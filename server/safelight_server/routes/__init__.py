"""The routes, one module per idea; each has a function `routes()`."""

from typing import Literal

from aiohttp import web

from safelight_server.protocol import dumps
from safelight_server.security import Handler

Method = Literal["GET", "POST", "PATCH", "DELETE"]


def both(method: Method, path: str, handler: Handler) -> list[web.RouteDef]:
    """Return a route under its old path and under /api, as clients use either."""
    paths = (path, f"/api{path}")
    if method == "GET":
        return [web.get(each, handler) for each in paths]  # which answers HEAD as well
    return [web.route(method, each, handler) for each in paths]


def answer(value: object) -> web.Response:
    """Return a JSON answer."""
    return web.json_response(value, dumps=dumps)


def switched_on(request: web.Request, name: str, *, usual: bool = False) -> bool:
    """Return whether a query parameter says "true" (or what is usual, where it is missing)."""
    return request.query.get(name, str(usual)).lower() in ("true", "1")
