"""Models that run inside this process, as httpx transports on a URL scheme of their own.

The engine sees an endpoint like any other. Nothing here is imported before its scheme is opened,
and the libraries that run the models are optional extras.
"""
