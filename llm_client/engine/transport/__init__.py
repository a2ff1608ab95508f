"""HTTP for the engine: own sockets under httpx's API, one reader for both worlds.

`exchange` is what the engine uses. Nothing here is imported, resolved or opened before the first
request: the modules that need httpx, asyncio, ssl or a runtime are loaded when a URL asks for them.
"""
