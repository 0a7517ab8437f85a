"""Telling another program that a job has ended: one signed POST, repeated a few times if need be.

Whoever submits a job may name an address as `extra_data.webhook`.  It gets the job as
`GET /api/jobs/{id}` tells it, without the workflow, and a header

    Safelight-Signature: t=SECONDS,v1=HEX      HEX = HMAC-SHA256(key, "SECONDS." + body)

by which it knows who speaks; the key is the file `webhook.key` in the home folder.  Since an
address could lead to where only this machine gets, every address that a name stands for must be a
public one, unless the name is allowed; the connection goes to the addresses that were looked at,
and is not led elsewhere.  What could not be delivered is logged; the list of jobs remains.
"""

import asyncio
import contextlib
import hashlib
import hmac
import ipaddress
import logging
import os
import secrets
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from safelight_server.listing import Listing, describe_whole
from safelight_server.protocol import Refused, dumps
from safelight_server.records import WEBHOOK, Job

_PAUSES = (0.0, 2.0, 10.0, 60.0, 300.0)  # seconds before each attempt
_AT_A_TIME = 8
_PATIENCE = ClientTimeout(total=15)
_LONGEST = 2000
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_log = logging.getLogger("safelight.server")


def address_in(extra: Mapping[str, object]) -> URL | None:
    """Return the address that a submission names, if it does.

    Raises:
        Refused: when it is no address of the web.
    """
    given = extra.get(WEBHOOK)
    if given is None:
        return None
    url = URL()
    if isinstance(given, str) and len(given) <= _LONGEST:
        with contextlib.suppress(ValueError):
            url = URL(given)
    if url.scheme not in ("http", "https") or not url.host or url.user is not None:
        message = f'"{WEBHOOK}" must be an http or https address without a user name.'
        raise Refused("invalid_webhook", message)
    return url


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, also under its other notations."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return is_public(str(found.ipv4_mapped))
        if found.sixtofour is not None or found.teredo is not None or found in _NAT64:
            return False
    return found.is_global and not found.is_multicast


def _is_literal(host: str) -> bool:
    """Whether a host is an IP address, which nobody looks up."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


class _PublicOnly(AbstractResolver):
    """Looks names up, and refuses those that stand for an address that is not public."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name; raises OSError when one of them is not public."""
        found = await self._inner.resolve(host, port, family)
        if not all(is_public(each["host"]) for each in found):
            raise OSError(f"{host} stands for an address that is not public")
        return found

    async def close(self) -> None:
        """Give up what was held."""
        await self._inner.close()


class Webhooks:
    """The calls that are under way.

    Args:
        listing: Tells what became of a job.
        key_file: Of the key for signatures; made when it is needed first.
        allowed: Hosts that may be called whatever address they have.
    """

    def __init__(self, listing: Listing, key_file: Path, allowed: tuple[str, ...]) -> None:
        self._listing = listing
        self._key_file = key_file
        self._allowed = frozenset(name.lower() for name in allowed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Semaphore(_AT_A_TIME)

    def job_ended(self, job: Job) -> None:
        """Call who wanted to hear of the end of a job."""
        with contextlib.suppress(Refused):  # as it was when an older version took it
            if (url := address_in(job.extra)) is not None:
                task = asyncio.create_task(self._deliver(job.id, url))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up what is under way."""
        for task in (tasks := list(self._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self, job_id: str, url: URL) -> None:
        entry = await self._listing.one(job_id)
        if entry is None:
            return
        told = {key: value for key, value in describe_whole(entry).items() if key != "workflow"}
        body = dumps({"event": "job_ended", "job": told}).encode()
        reason = ""
        for pause in _PAUSES:
            await asyncio.sleep(pause)
            async with self._turn:
                reason = await self._post(url, body)
            if not reason:
                return
        _log.warning("The end of job %s could not be told to %s: %s", job_id, url.host, reason)

    async def _post(self, url: URL, body: bytes) -> str:
        """Make one attempt; return why it failed, or nothing."""
        host = (url.host or "").lower()
        allowed = host in self._allowed
        if not allowed and _is_literal(host) and not is_public(host):
            return f"{host} is not a public address"
        try:
            headers = await asyncio.to_thread(self._signed, body)
            connector = TCPConnector(resolver=None if allowed else _PublicOnly())
            async with (
                ClientSession(connector=connector, timeout=_PATIENCE) as session,
                session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                return "" if answer.status < 300 else f"it answered {answer.status}"
        except (ClientError, OSError, ValueError) as error:  # a timeout is an OSError
            return str(error) or type(error).__name__

    def _signed(self, body: bytes) -> dict[str, str]:
        now = str(int(time.time()))
        made = hmac.new(self._key(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
        return {
            "Content-Type": "application/json",
            "Safelight-Signature": f"t={now},v1={made}",
        }

    def _key(self) -> bytes:
        with contextlib.suppress(FileExistsError):
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
            with os.fdopen(os.open(self._key_file, flags, 0o600), "w") as file:
                file.write(secrets.token_hex(32))
        return self._key_file.read_text(encoding="ascii").strip().encode()
