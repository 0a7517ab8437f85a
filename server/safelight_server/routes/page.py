"""The web app: the files that its build left in `static`."""

import asyncio
from pathlib import Path

from aiohttp import web

from safelight_server.protocol import Refused

STATIC = Path(__file__).resolve().parent.parent / "static"
_YEAR = "public, max-age=31536000, immutable"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".map": "application/json; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}
_NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Safelight</title>
<style>body{font:1rem/1.6 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}
code{background:#eee;padding:.1em .3em}</style>
<h1>Safelight runs, but its web app is not built</h1>
<p>From a clone of the project, run <code>python start.py</code>, which builds it, or</p>
<p><code>cd web &amp;&amp; npm ci &amp;&amp; npm run build</code></p>
<p>and load this page again. The API works meanwhile: see <code>/api/schema</code>.</p>
</html>
"""


def routes() -> list[web.RouteDef]:
    """Return the routes of this module; they come last, since they match any path."""
    return [web.get("/{path:.*}", show)]


async def show(request: web.Request) -> web.StreamResponse:
    """Answer a file of the web app."""
    wanted = request.match_info["path"] or "index.html"
    path = await asyncio.to_thread(_find, wanted)
    if path is None:
        if wanted == "index.html":
            return web.Response(text=_NOT_BUILT, content_type="text/html", status=503)
        raise Refused("not_found", f"There is nothing at /{wanted[:200]}.", status=404)
    hashed = wanted.startswith("assets/")
    headers = {"Cache-Control": _YEAR if hashed else "no-cache"}
    headers["Content-Type"] = _TYPES.get(path.suffix, "application/octet-stream")
    return web.FileResponse(path, headers=headers)  # sends its .br or .gz where there is one


def _find(wanted: str) -> Path | None:
    """Return the file of the build with that path, if it is one."""
    if "\0" in wanted or "\\" in wanted:
        return None
    path = (STATIC / wanted).resolve()
    inside = path.is_relative_to(STATIC.resolve())
    return path if inside and path.suffix in _TYPES and path.is_file() else None
