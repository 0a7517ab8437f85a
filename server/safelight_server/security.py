"""Who may talk to the server: nobody but its own pages and this machine, unless told otherwise.

Three questions are asked of every request.  Is it addressed to this server by a name it answers
to (else a foreign name was pointed at it: DNS rebinding)?  Does it come from this server's own
pages, if it comes from a page at all (else another site makes the browser ask)?  And, where the
server is bound beyond this machine or a token was set, does it carry the token?
"""

import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from safelight_server.protocol import Refused

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
# Asked by monitors and by the worker, which have credentials of their own or need none.
_WITHOUT_TOKEN = frozenset({"/healthz", "/readyz", "/internal/worker"})
# What a link to a workflow shows: whoever has it needs no token, and nothing else begins so.
SHARE_TOKEN = "[A-Za-z0-9_-]{43}"
_SHARED = re.compile(rf"/s/{SHARE_TOKEN}(\.json|/thumbnail)?")
_COOKIE_SECONDS = 30 * 24 * 3600
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' blob: data:; connect-src 'self'; font-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "Content-Security-Policy": _CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """The names the server answers to, and the token it asks for (none on loopback alone)."""

    names: frozenset[str]
    any_address: bool = False  # bound to a wildcard: whatever address was typed is this machine's
    token: str | None = None
    cookie: str = "safelight_token"

    def answers_to(self, host: str) -> bool:
        """Whether `host` (a Host header, with or without port) is a name of this server."""
        name = _name_of(host)
        return name in self.names or (self.any_address and _is_address(name))

    def knows(self, token: str | None) -> bool:
        """Whether `token` is the right one; takes equally long for every wrong one."""
        if self.token is None:
            return True
        offered = b"" if token is None else token.encode(errors="backslashreplace")
        return hmac.compare_digest(offered, self.token.encode())


def policy_for(host: str, port: int, token: str | None, allowed: tuple[str, ...] = ()) -> Policy:
    """Return the policy of a server bound to `host`: beyond loopback there is always a token."""
    names = _LOOPBACK_NAMES | {name.lower() for name in allowed}
    if is_loopback(host):
        return Policy(names, token=token, cookie=f"safelight_token_{port}")
    wildcard = host in ("", "0.0.0.0", "::")
    own = {host.lower(), socket.gethostname().lower()}
    token = token or secrets.token_urlsafe(24)
    return Policy(frozenset(names | own), wildcard, token, f"safelight_token_{port}")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server bound to `host`."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def guard(policy: Policy) -> Middleware:
    """Return the middleware that turns away whoever the policy does not admit."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        _check_host(policy, request)
        _check_origin(request)
        if request.path in _WITHOUT_TOKEN or _is_shared(request):
            return await handler(request)
        offered = request.query.get("token")
        if offered is not None and policy.token is not None and policy.knows(offered):
            return await _admit(policy, request, handler, offered)
        if not policy.knows(_bearer(request) or request.cookies.get(policy.cookie)):
            raise Refused(
                "token_required",
                "This server asks for its token: open the address that it printed at its "
                "start, or send the header Authorization: Bearer TOKEN.",
                status=401,
            )
        return await handler(request)

    return middleware


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the security headers on an answer, whatever kind it is."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


async def _admit(
    policy: Policy, request: web.Request, handler: Handler, token: str
) -> web.StreamResponse:
    """Follow a request whose address holds the token; a page gets a cookie instead of it."""
    if request.path != "/":
        return await handler(request)
    rest = request.rel_url.with_query({k: v for k, v in request.query.items() if k != "token"})
    answer = web.Response(status=302, headers={"Location": str(rest)})
    answer.set_cookie(
        policy.cookie,
        token,
        max_age=_COOKIE_SECONDS,
        httponly=True,
        samesite="Strict",
        secure=request.secure,
    )
    return answer


def _check_host(policy: Policy, request: web.Request) -> None:
    if not policy.answers_to(request.host):
        raise Refused(
            "forbidden_host",
            f"This server does not answer to the name {_name_of(request.host)!r}. "
            "Open it by the address that it printed at its start.",
            status=403,
        )


def _check_origin(request: web.Request) -> None:
    origin = request.headers.get("Origin")
    if origin is not None and _netloc(origin) != request.host.lower():
        raise Refused(
            "forbidden_origin", f"Pages of {origin!r} may not use this server.", status=403
        )
    site = request.headers.get("Sec-Fetch-Site", "none")
    visit = request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate"
    welcome = request.path == "/" or _is_shared(request)
    if site not in ("none", "same-origin") and not (visit and welcome):
        raise Refused("forbidden_origin", "Other sites may not use this server.", status=403)


def _is_shared(request: web.Request) -> bool:
    reading = request.method in ("GET", "HEAD")
    return reading and _SHARED.fullmatch(request.rel_url.raw_path) is not None


def _netloc(origin: str) -> str:
    """Return host and port of an Origin header; nothing for "null" and what is no address."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _bearer(request: web.Request) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _name_of(host: str) -> str:
    """Return the name in a Host header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if host.count(":") == 1 else host.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
