"""`python -m llm_client` and the `llm-client` command: the quickest way in and out.

`--version` is answered before anything is imported. At the end the process leaves with
`os._exit`: what a one-shot command would still do then (tearing down modules, collecting
garbage) takes 13 to 25 ms and is of no use to anybody. Exit functions run before.
"""

import sys


def main() -> None:
    """Run the command line and leave the process with its exit status."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from ._version import __version__

        print(f"llm-client {__version__}")
        status = 0
    else:
        from .cli.app import run

        status = run()
    _leave(status)


def _leave(status: int) -> None:
    import atexit
    import os

    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            # Nobody reads any more; the status says so where it matters.
            continue
    os._exit(status)


if __name__ == "__main__":
    main()
