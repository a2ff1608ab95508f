"""`python -m llm_client` and the `llm-client` command: the quickest way in and out.

`--version` is answered before anything is imported. At the end the process leaves with
`os._exit`: what a one-shot command would still do then (tearing down modules, collecting
garbage) takes 13 to 25 ms and is of no use to anybody. Exit functions run before.
"""

import os
import sys

_INTERRUPTED = 130
_BROKEN_PIPE = 141


def main() -> None:
    """Run the command line and leave the process with its exit status."""
    try:
        status = _run()
    except KeyboardInterrupt:
        # Ctrl-C while starting or leaving; in between, the command has its own way with it.
        status = _INTERRUPTED
    except BrokenPipeError:
        status = _BROKEN_PIPE
    _leave(status)


def _run() -> int:
    shell = os.environ.get("_LLM_CLIENT_COMPLETE")
    if not shell and sys.argv[1:] in (["--version"], ["-V"]):
        from ._version import __version__

        print(f"llm-client {__version__}")
        return 0
    import gc

    # Nothing that a one-shot command makes is worth looking for cycles in, its imports least of
    # all (4 to 7 ms).
    gc.disable()
    if shell:
        from .cli.complete import complete

        return complete(shell, sys.argv[1:], os.environ)
    from .cli.app import run

    return run()


def _leave(status: int) -> None:
    import atexit

    try:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            try:
                if stream is not None:
                    stream.flush()
            except BrokenPipeError:
                status = status or _BROKEN_PIPE
            except (OSError, ValueError):
                status = status or 1
    except KeyboardInterrupt:
        status = _INTERRUPTED
    os._exit(status)


if __name__ == "__main__":
    main()
