"""`llm-client generate`: one prompt, one answer.

Owns the order of events of the command; the prompt is made in `prompt_input`, the answer goes to
a sink of `output`, and what is said meanwhile is `progress`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..exceptions import LLMError, ModelNotFoundError
from ..types.config import LLMConfig
from ..types.request import RequestOptions
from ..types.response import LLMResponse
from .environment import Environment
from .exit_status import ExitStatus, UsageError, error_object, exit_status
from .output import EventSink, ObjectSink, PipeSink, Sink, TerminalSink, WholeSink, write_json
from .progress import Progress, usage_line
from .prompt_input import build_prompt
from .render.sanitize import neutralise

if TYPE_CHECKING:
    from ..client import LLMClient

__all__ = ["Generate", "run_generate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generate:
    """What the command line asks for."""

    words: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    config: LLMConfig = LLMConfig()
    request: RequestOptions = field(default_factory=RequestOptions)
    stream: bool | None = None
    json: bool = False
    output: Path | None = None
    extract: bool = False
    dry_run: bool = False
    read_stdin: bool = True
    config_path: Path | None = None
    verbose: bool = False
    quiet: bool = False
    debug: bool = False


def run_generate(command: Generate, environment: Environment) -> int:
    """Run the command; return its exit status."""
    progress = Progress(environment, quiet=command.quiet, verbose=command.verbose)
    try:
        return _generate(command, environment, progress)
    except LLMError as error:
        progress.arrived()
        _report(error, command, environment)
        return exit_status(error)
    except KeyboardInterrupt:
        progress.arrived()
        progress.say("Interrupted.")
        return ExitStatus.INTERRUPTED
    except BrokenPipeError:
        progress.arrived()
        _silence(environment)
        return ExitStatus.BROKEN_PIPE


def _generate(command: Generate, environment: Environment, progress: Progress) -> int:
    prompt = build_prompt(
        command.words, command.files, read_stdin=command.read_stdin, environment=environment
    )
    from ..client import LLMClient

    with LLMClient(
        command.config, config_path=command.config_path, observe=progress, **command.request
    ) as client:
        target = client.target
        if client.reason:
            progress.explain(f"Using {target.spec}: {client.reason}.")
        if command.dry_run:
            _print_request(client, prompt, environment)
            return ExitStatus.ANSWERED
        with _destination(command, environment) as stream:
            sink = _choose_sink(command, environment, stream)
            try:
                response = _ask(client, prompt, command, sink, progress)
            except ModelNotFoundError as error:
                _suggest_models(error, client)
                raise
    return _judge(response, command, sink, progress)


def _ask(
    client: LLMClient, prompt: str, command: Generate, sink: Sink, progress: Progress
) -> LLMResponse:
    """Ask, and feed the sink; whatever happens, what was shown is left tidy."""
    progress.wait_for(client.target.spec)
    whole = command.stream is False
    try:
        if whole:
            response = client.generate(prompt)
            progress.arrived()
        else:
            with client.stream(prompt) as stream:
                for chunk in stream:
                    if chunk.delta or chunk.reasoning:
                        progress.arrived()
                    sink.chunk(chunk)
                response = stream.response
    except BrokenPipeError:
        raise
    except BaseException:
        progress.arrived()
        sink.interrupt()
        raise
    progress.arrived()
    sink.finish(response)
    return response


def _choose_sink(command: Generate, environment: Environment, stream: BinaryIO) -> Sink:
    if command.json:
        return EventSink(stream) if command.stream else ObjectSink(stream)
    sink: Sink
    if command.output is None and environment.stdout_is_terminal and not command.extract:
        import gc

        gc.enable()  # drawing makes reference cycles, and an answer can be long
        sink = TerminalSink(environment)
    else:
        sink = PipeSink(stream)
    if command.extract or command.stream is False:
        return WholeSink(sink, extract=command.extract)
    return sink


@contextmanager
def _destination(command: Generate, environment: Environment) -> Iterator[BinaryIO]:
    """Open where the answer goes. A file appears under its name only when it is complete."""
    if command.output is None:
        yield environment.stdout.buffer
        return
    path = command.output.expanduser()
    if path.is_dir():
        raise UsageError(f"{str(path)!r} is a directory: the answer needs a file.")
    if path.exists() and not path.is_file():
        with path.open("wb") as device:
            yield device
        return
    partial = path.with_name(path.name + ".partial")
    try:
        file = partial.open("wb")
    except OSError as error:
        raise UsageError(
            f"Cannot write to {str(path)!r}: {error.strerror}. Nothing was sent."
        ) from None
    try:
        with file:
            yield file
    except BaseException:
        if partial.stat().st_size:
            environment.note(f"What had arrived is in {str(partial)!r}.")
        else:
            partial.unlink()
        raise
    partial.replace(path)


def _judge(response: LLMResponse, command: Generate, sink: Sink, progress: Progress) -> ExitStatus:
    """Return whether the answer is what was asked for, and say why not."""
    progress.explain(usage_line(response))
    if isinstance(sink, WholeSink) and not sink.found_code:
        progress.say("The answer has no fenced code: printed as it is.")
    if response.finish_reason == "length" and "max_tokens" not in command.request:
        progress.say(
            "The answer is not complete: the model reached its limit of tokens. "
            "Allow more with `--max-tokens`."
        )
        return ExitStatus.INCOMPLETE
    if not response.content and not response.tool_calls:
        progress.say("The model answered with nothing.")
        return ExitStatus.INCOMPLETE
    return ExitStatus.ANSWERED


def _print_request(client: LLMClient, prompt: str, environment: Environment) -> None:
    import json

    request = client.preview(prompt)
    shown = {
        "method": request.method,
        "url": request.url,
        "headers": request.shown_headers(),
        "body": json.loads(request.body or b"null"),
    }
    text = json.dumps(shown, indent=2, ensure_ascii=False)
    environment.stdout.buffer.write(text.encode("utf-8", "replace") + b"\n")
    environment.stdout.buffer.flush()


def _suggest_models(error: ModelNotFoundError, client: LLMClient) -> None:
    """Put the nearest models that there are into the hint."""
    from difflib import get_close_matches

    try:
        known = [model.id for model in client.list_models(use_cache=False)]
    except LLMError:
        return
    near = get_close_matches(client.target.model, known, n=3, cutoff=0.4)
    if near:
        error.hint = f"Did you mean {' or '.join(map(repr, near))}?"
    elif known:
        error.hint = f"It has: {', '.join(known[:10])}{'…' if len(known) > 10 else ''}."


def _report(error: LLMError, command: Generate, environment: Environment) -> None:
    if command.debug:
        import traceback

        environment.note(traceback.format_exc().rstrip())
    if command.json:
        write_json(environment.stdout.buffer, error_object(error))
    color = environment.colored(environment.stderr_is_terminal)
    label = "\x1b[1;31merror:\x1b[0m" if color else "error:"
    environment.note(f"{label} {neutralise(error.message)}")
    if error.hint:
        environment.note(f"  {neutralise(error.hint)}")


def _silence(environment: Environment) -> None:
    """Point stdout nowhere, so that flushing it at exit does not fail again."""
    import os

    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, environment.stdout.fileno())
    except (OSError, ValueError):
        return
