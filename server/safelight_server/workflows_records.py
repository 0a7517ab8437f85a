"""What the library tells and takes, as dataclasses: their fields are the keys of the JSON.

Times are in milliseconds since 1970.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from safelight.graph.values import shown
from safelight_server.listing import whole_number
from safelight_server.protocol import JsonObject, Refused

MOST_WORKFLOWS = 10_000
MOST_VERSIONS = 500  # of one workflow; of more, the oldest that no link shows are dropped
MOST_TAGS, LONGEST_TAG, LONGEST_NAME, LONGEST_SEARCH = 20, 40, 200, 200
LARGEST_PAGE = 500
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")
_ORDERS = ("changed", "created", "name")


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow of the library, without its document."""

    id: str
    name: str
    version: int
    nodes: int
    tags: Sequence[str] = ()
    created: int | None = None
    changed: int | None = None
    deleted: int | None = None
    thumbnail: str | None = None
    read_only: bool = False

    def body(self) -> dict[str, object]:
        """Return the JSON answer."""
        told = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return {**told, "tags": list(self.tags)}


@dataclass(frozen=True, slots=True)
class WorkflowVersion:
    """One of the versions of a workflow, counted from 1, without its document."""

    version: int
    nodes: int
    created: int

    def body(self) -> dict[str, object]:
        """Return the JSON answer."""
        return {"version": self.version, "nodes": self.nodes, "created": self.created}


@dataclass(frozen=True, slots=True)
class WorkflowPost:
    """A workflow to be added: in any format, under the id that its document has."""

    document: object
    name: str | None = None
    tags: Sequence[str] = ()

    @classmethod
    def read(cls, body: JsonObject) -> "WorkflowPost":
        """Read a body.

        Raises:
            Refused: 400, naming what is missing or has the wrong type.
        """
        return cls(_document(body), _name(body), _tags(body) or ())


@dataclass(frozen=True, slots=True)
class WorkflowPut:
    """A workflow to be saved, and the version that it was made from."""

    document: object
    base: int | None = None

    @classmethod
    def read(cls, body: JsonObject) -> "WorkflowPut":
        """Read a body.

        Raises:
            Refused: 400, naming what is missing or has the wrong type.
        """
        base = body.get("base")
        if base is not None and (type(base) is not int or not 0 < base < 2**31):
            message = '"base" must be the number of the version that you began from.'
            raise Refused("invalid_body", message)
        return cls(_document(body), base if isinstance(base, int) else None)


@dataclass(frozen=True, slots=True)
class WorkflowPatch:
    """Another name, or other tags."""

    name: str | None = None
    tags: Sequence[str] | None = None

    @classmethod
    def read(cls, body: JsonObject) -> "WorkflowPatch":
        """Read a body.

        Raises:
            Refused: 400, naming what has the wrong type, or when there is nothing to change.
        """
        read = cls(_name(body), _tags(body))
        if read.name is None and read.tags is None:
            raise Refused("invalid_body", 'Send a "name", "tags", or both.')
        return read


@dataclass(frozen=True, slots=True)
class WorkflowQuery:
    """Which workflows to list; every field is checked by `read`."""

    search: str = ""
    tags: tuple[str, ...] = ()
    deleted: bool = False
    sort_by: str = "changed"
    limit: int = field(default=100)
    offset: int = 0

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "WorkflowQuery":
        """Read the query of an address; tags stand in one parameter, apart by commas.

        Raises:
            Refused: 400, naming the first parameter that cannot be followed.
        """
        order, search = query.get("sort_by", "changed"), query.get("search", "")
        if order not in _ORDERS:
            message = f'"sort_by" must be one of {", ".join(_ORDERS)}, not {order[:40]!r}.'
            raise Refused("invalid_query", message)
        if len(search) > LONGEST_SEARCH:
            message = f'"search" must be at most {LONGEST_SEARCH} characters.'
            raise Refused("invalid_query", message)
        limit, offset = whole_number(query, "limit"), whole_number(query, "offset") or 0
        if limit is not None and not 0 < limit <= LARGEST_PAGE:
            raise Refused("invalid_query", f'"limit" must be from 1 to {LARGEST_PAGE}.')
        return cls(
            search=search.casefold(),
            tags=tuple(filter(None, query.get("tag", "").split(",")))[:MOST_TAGS],
            deleted=query.get("deleted", "false").lower() in ("true", "1"),
            sort_by=order,
            limit=100 if limit is None else limit,
            offset=max(offset, 0),
        )


def checked_id(value: object) -> str:
    """Return an id that can stand in an address.

    Raises:
        Refused: 400 when it cannot.
    """
    if not isinstance(value, str) or not _ID.fullmatch(value):
        message = (
            "The id of a workflow is up to 200 letters, digits, dots, dashes, colons and "
            f"underscores, not {shown(value)}."
        )
        raise Refused("invalid_workflow_id", message)
    return value


def checked_name(value: object) -> str:
    """Return a name that can be shown in a list.

    Raises:
        Refused: 400 when it cannot.
    """
    name = value.strip() if isinstance(value, str) else ""
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        message = f'"name" must be 1 to {LONGEST_NAME} printable characters, not {shown(value)}.'
        raise Refused("invalid_body", message)
    return name


def _document(body: JsonObject) -> object:
    if body.get("document") is None:
        raise Refused("no_workflow", 'The body has no "document": send the workflow there.')
    return body["document"]


def _name(body: JsonObject) -> str | None:
    return None if body.get("name") is None else checked_name(body["name"])


def _tags(body: JsonObject) -> tuple[str, ...] | None:
    """Return the tags of a body, each once, or `None` where it has none."""
    value = body.get("tags")
    if value is None:
        return None
    wanted = f'"tags" must be a list of at most {MOST_TAGS} texts'
    if not isinstance(value, list) or len(value) > MOST_TAGS:
        raise Refused("invalid_body", f"{wanted}.")
    for tag in value:
        fits = isinstance(tag, str) and 0 < len(tag.strip()) <= LONGEST_TAG
        if not fits or not tag.isprintable() or "," in tag:
            message = f"{wanted} of 1 to {LONGEST_TAG} characters without commas, not {shown(tag)}."
            raise Refused("invalid_body", message)
    return tuple(dict.fromkeys(tag.strip() for tag in value))
