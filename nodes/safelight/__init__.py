"""Safelight: a node-graph workbench for latent diffusion.

`Client` talks to a server; it is imported when it is first used, and torch never is for it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from safelight.client import Client

__version__ = "0.1.0"
__all__ = ["Client", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the client when somebody asks for it: nodes and graphs need no network."""
    if name == "Client":
        from safelight.client import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
