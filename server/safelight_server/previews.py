"""The binary frames of the wire: unfinished pictures, with big-endian numbers in front."""

import struct

from safelight_server.protocol import dumps

_PREVIEW = 1
_PREVIEW_WITH_METADATA = 4
_JPEG = 1


def plain_preview(jpeg: bytes) -> bytes:
    """Return the preview frame for clients that named no features."""
    return struct.pack(">II", _PREVIEW, _JPEG) + jpeg


def preview_with_metadata(jpeg: bytes, node: str, prompt_id: str, root: str = "") -> bytes:
    """Return the preview frame that says whose picture it is.

    `root` is the node of the prompt that a node of an expansion stands for.
    """
    metadata = dumps(
        {
            "node_id": node,
            "prompt_id": prompt_id,
            "display_node_id": root or node,
            "parent_node_id": root or None,
            "real_node_id": root or node,
            "image_type": "image/jpeg",
        }
    ).encode()
    return struct.pack(">II", _PREVIEW_WITH_METADATA, len(metadata)) + metadata + jpeg
