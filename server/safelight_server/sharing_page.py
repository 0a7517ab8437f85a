"""The page that a link shows: a workflow to be read, without scripts and without a way further."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from safelight.graph.comfy import NodeText, nodes_of
from safelight_server.sharing import Shared

_MOST_NODES = 500
_LONGEST_VALUE = 2000  # characters
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>{name} · Safelight</title>
<style>
:root{{color-scheme:light dark}}
body{{font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}}
img{{max-width:100%;border-radius:.5rem}} h2{{font-size:1rem;margin:1.5rem 0 .25rem}}
dl{{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:0}}
dt{{opacity:.7}} dd{{margin:0;white-space:pre-wrap;overflow-wrap:anywhere}}
small{{font-weight:normal;opacity:.7}}
</style>
<h1>{name}</h1>
<p>Version {version} of {day}, {count} nodes. Somebody shared it with you; it is read only.
<a href="{address}.json" download>Download the workflow</a> and drop it on Safelight's canvas.</p>
{picture}{nodes}
</html>
"""


def page(shared: Shared, address: str) -> str:
    """Return the page as HTML; whatever the workflow says stands there as text."""
    nodes = nodes_of(shared.document)
    told = [_node(node) for node in list(nodes.values())[:_MOST_NODES]]
    if len(nodes) > _MOST_NODES:
        told.append(f"<p>And {len(nodes) - _MOST_NODES} more.</p>")
    seen = f'<p><img src="{address}/thumbnail" alt="What it made"></p>' if shared.pictured else ""
    text = _PAGE.format(
        name=escape(shared.name),
        version=shared.version,
        day=datetime.fromtimestamp(shared.created / 1000, UTC).date().isoformat(),
        count=len(nodes),
        address=address,
        picture=seen,
        nodes="".join(told),
    )
    return text.encode(errors="replace").decode()  # halves of characters may stand in JSON


def _node(node: NodeText) -> str:
    title = escape(node.title or node.class_type)
    kind = f" <small>{escape(node.class_type)}</small>" if node.title else ""
    values = "".join(f"<dt>{name}<dd>{value}" for name, value in _values(node.inputs))
    return f"<h2>{title}{kind}</h2><dl>{values}</dl>"


def _values(inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is set by hand, as HTML; wires are left out."""
    for name, value in inputs.items():
        if not isinstance(value, list):
            text = value if isinstance(value, str) else json.dumps(value)
            cut = f"{text[:_LONGEST_VALUE]}…" if len(text) > _LONGEST_VALUE else text
            yield escape(name), escape(cut)
