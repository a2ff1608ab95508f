"""HTTP for the engine: own sockets, with httpx beside them for what they do not do.

One reader serves both worlds. Only `exchange` is imported before there is a request: the modules that
need httpx, asyncio, ssl or a runtime are loaded when a URL asks for them.
"""
