"""The only `import httpx` of the package.

Kept in one place because the ecosystem is moving to a continuation of httpx with the same API, and
because importing httpx as it comes also imports its command line (`httpx._main`: click, rich,
pygments) wherever those are installed, which costs about 46 ms of every process start.

Everything else that needs httpx says `from llm_client.engine.transport.httpx_import import httpx`,
inside the modules that are themselves imported only when a request is about to be sent.
"""

from __future__ import annotations

import sys
from typing import cast

_COMMAND_LINE = "httpx._main"

if _COMMAND_LINE in sys.modules:
    import httpx
else:
    # `None` in sys.modules makes the import fail at once; httpx provides for that, as it does for
    # an installation without its `cli` extra. The entry goes afterwards, so whoever wants httpx's
    # command line in this process can still import it.
    cast("dict[str, object]", sys.modules)[_COMMAND_LINE] = None
    try:
        import httpx
    finally:
        sys.modules.pop(_COMMAND_LINE, None)

__all__ = ["httpx"]
