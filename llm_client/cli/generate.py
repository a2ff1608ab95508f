"""`llm-client generate`: one prompt, one answer.

Owns the order of events of the command; the prompt is made in `prompt_input`, the answer goes to
a sink of `output`, and what is said meanwhile is `progress`'s.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..exceptions import ConfigurationError, LLMError, ModelNotFoundError, ValidationError
from ..types.config import LLMConfig
from ..types.request import Prompt, RequestOptions
from ..types.response import LLMResponse, StreamChunk
from .destination import names_stdout, open_destination
from .environment import Environment
from .exit_status import (
    ExitStatus,
    Interrupted,
    OutputError,
    UsageError,
    error_object,
    exit_status,
)
from .limits import body_of, reached_what_was_asked
from .output import (
    EventSink,
    ObjectSink,
    PipeSink,
    PlainSink,
    Sink,
    TerminalSink,
    WholeSink,
    write_json,
)
from .progress import Progress, usage_line
from .project_file import use_project
from .prompt_input import build_prompt
from .reasoning import ReasoningNotes
from .signals import Terminated, termination_raises

if TYPE_CHECKING:
    from ..client import LLMClient
    from ..types.long_text import LongText

__all__ = ["Generate", "run_generate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generate:
    """What the command line asks for."""

    words: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    attachments: list[str] = field(default_factory=list)
    fallback: list[str] = field(default_factory=list)
    config: LLMConfig = LLMConfig()
    request: RequestOptions = field(default_factory=RequestOptions)
    profile: str | None = None
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

    @property
    def streams(self) -> bool:
        """Whether the answer is asked for piece by piece.

        One that follows a schema is not, unless it is said: what was not shown can be asked for
        again.
        """
        return self.stream if self.stream is not None else "schema" not in self.request


def run_generate(command: Generate, environment: Environment) -> int:
    """Run the command; return its exit status."""
    progress = Progress(environment, quiet=command.quiet, verbose=command.verbose)
    try:
        with termination_raises(), warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: progress.say(f"Warning: {message}")
            return _reported(command, environment, progress)
    except BrokenPipeError:
        progress.arrived()
        return ExitStatus.BROKEN_PIPE


def _reported(command: Generate, environment: Environment, progress: Progress) -> int:
    """Run the command; tell what went wrong.

    Raises:
        BrokenPipeError: nobody reads the answer any more, which is to be left unsaid.
    """
    try:
        return _generate(command, environment, progress)
    except Interrupted as error:
        progress.arrived()
        progress.say(error.message)
        if command.json:
            write_json(environment.stdout.buffer, error_object(error))
        return error.exit_status
    except BrokenPipeError:
        raise
    except Exception as error:
        from .report import report, understood

        progress.arrived()
        failure = understood(error)
        # Where the answer does not go, an object about it does not go either.
        json = command.json and not isinstance(failure, OutputError)
        report(failure, environment, json=json, debug=command.debug)
        return exit_status(failure)


def _generate(command: Generate, environment: Environment, progress: Progress) -> int:
    if environment.stdout_is_closed and names_stdout(command.output):
        raise OutputError(
            "Standard output is closed: nothing was sent.", hint="Write to a file: `-o FILE`."
        )
    try:
        use_project(environment, progress, command.config_path, profile=command.profile)
        prompt = build_prompt(
            command.words,
            command.files,
            read_stdin=command.read_stdin,
            environment=environment,
            say=progress.say,
        )
        from ..client import LLMClient

        asked = _asked(prompt, command.attachments)
        with LLMClient(
            command.config,
            profile=command.profile,
            config_path=command.config_path,
            observe=progress,
            environ=environment.environ,
            **command.request,
        ) as client:
            if command.fallback:
                client.set_fallback_chain(command.fallback)
            if command.dry_run:
                _print_request(client, asked, command, environment, progress)
                return ExitStatus.ANSWERED
            return _answer(client, asked, command, environment, progress)
    except KeyboardInterrupt as interrupt:
        raise _interrupted(interrupt) from None


def _asked(prompt: str | LongText, attachments: list[str]) -> Prompt:
    """Return what is asked: the text, behind what it is about."""
    if isinstance(prompt, str) and not attachments:
        return prompt
    from ..types.messages import Message

    if not attachments:
        return Message("user", prompt)
    from ..attachments import attach
    from ..types.content import Text

    try:
        parts = [attach(attachment) for attachment in attachments]
    except (ConfigurationError, ValidationError) as error:
        # On the command line there is no other way of saying what a file is than its name.
        hint = "Attach images, PDF, audio or text." if isinstance(error, ValidationError) else None
        raise UsageError(error.message, hint=hint) from None
    return Message("user", (*parts, Text(prompt)))


def _answer(
    client: LLMClient,
    prompt: Prompt,
    command: Generate,
    environment: Environment,
    progress: Progress,
) -> int:
    with open_destination(command.output, environment) as stream:
        sink = _choose_sink(command, environment, stream)
        if isinstance(sink, TerminalSink) and not environment.is_dumb:
            _prepare_drawing()
        show = _Show(
            sink=sink,
            progress=progress,
            reasoning=ReasoningNotes(environment, quiet=command.quiet or command.json),
            # A spinner goes on while nothing can be seen.
            seen=names_stdout(command.output) and not isinstance(sink, WholeSink | ObjectSink),
            reasons_apart=not isinstance(_innermost(sink), TerminalSink),
            keeps_text=command.json,
        )
        try:
            response = _ask(client, prompt, show, streamed=command.streams)
        except ModelNotFoundError as error:
            _suggest_models(error, client)
            raise
    return _judge(response, client, command, sink, progress)


@dataclass(slots=True, kw_only=True)
class _Show:
    """Where the pieces of one answer go: text to the sink, thinking and waiting to stderr."""

    sink: Sink
    progress: Progress
    reasoning: ReasoningNotes
    seen: bool
    """Whether what the sink is given appears at once."""
    reasons_apart: bool
    """Whether thinking is shown on stderr, because the sink does not show it."""
    keeps_text: bool
    """Whether the text is wanted once more, for the object about an interruption."""
    texts: list[str] = field(default_factory=list)

    def chunk(self, chunk: StreamChunk) -> None:
        """Show a piece."""
        if chunk.reasoning and self.reasons_apart:
            self.progress.arrived()
            self.reasoning.write(chunk.reasoning)
        if chunk.delta:
            self.reasoning.end()
            if self.keeps_text:
                self.texts.append(chunk.delta)
        if self.seen and (chunk.delta or chunk.reasoning):
            self.progress.arrived()
            self.progress.hold()
        self.sink.chunk(chunk)

    def finish(self, response: LLMResponse) -> None:
        """Show the end of a whole answer."""
        self.reasoning.end()
        self.progress.arrived()
        self.sink.finish(response)

    def break_off(self, error: BaseException) -> None:
        """Leave what was shown tidy: nothing more will come."""
        self.reasoning.end()
        self.progress.arrived()
        if not isinstance(error, OSError) or isinstance(error, LLMError):
            self.sink.interrupt()


def _ask(client: LLMClient, prompt: Prompt, show: _Show, *, streamed: bool) -> LLMResponse:
    """Ask, and show the answer; whatever happens, what was shown is left tidy."""
    show.progress.wait_for(client.target.spec)
    try:
        if streamed:
            with client.stream(prompt) as stream:
                for chunk in stream:
                    show.chunk(chunk)
                response = stream.response
        else:
            response = _as_json(client.generate(prompt))
            if show.reasons_apart and response.reasoning:
                show.progress.arrived()
                show.reasoning.write(response.reasoning)
        show.finish(response)
    except BrokenPipeError:
        raise
    except BaseException as error:
        show.break_off(error)
        if isinstance(error, KeyboardInterrupt):
            raise _interrupted(error, "".join(show.texts)) from None
        raise
    finally:
        show.progress.release()
    return response


def _as_json(response: LLMResponse) -> LLMResponse:
    """Return an answer that follows a schema without the words around it: a program reads it."""
    import json

    if response.parsed is None:
        return response
    try:
        json.loads(response.content)
    except ValueError:
        return replace(response, content=json.dumps(response.parsed, ensure_ascii=False, indent=2))
    return response


def _interrupted(error: KeyboardInterrupt, partial: str = "") -> Interrupted:
    if isinstance(error, Terminated):
        return Interrupted("Terminated.", partial=partial, status=error.status)
    return Interrupted("Interrupted.", partial=partial, status=ExitStatus.INTERRUPTED)


def _choose_sink(command: Generate, environment: Environment, stream: BinaryIO) -> Sink:
    if command.json:
        return EventSink(stream) if command.stream else ObjectSink(stream)
    sink: Sink
    if names_stdout(command.output) and environment.stdout_is_terminal:
        # JSON is no Markdown.
        is_plain = command.extract or "schema" in command.request
        sink = PlainSink(environment.stdout) if is_plain else TerminalSink(environment)
    elif stream.isatty():
        import io

        # `-o /dev/tty`: a model must not drive this terminal either.
        sink = PlainSink(io.TextIOWrapper(stream, encoding="utf-8", errors="replace"))
    else:
        sink = PipeSink(stream)
    if command.extract or not command.streams:
        return WholeSink(sink, extract=command.extract)
    return sink


def _innermost(sink: Sink) -> Sink:
    return sink.inner if isinstance(sink, WholeSink) else sink


def _prepare_drawing() -> None:
    """Get ready for an answer on a terminal, without making its request wait."""
    import gc

    from ..engine.transport import sessions  # noqa: F401  the request needs it first
    from .import_ahead import import_ahead

    gc.enable()  # drawing makes reference cycles, and an answer can be long
    import_ahead("llm_client.cli.render.markdown")


def _judge(
    response: LLMResponse, client: LLMClient, command: Generate, sink: Sink, progress: Progress
) -> ExitStatus:
    """Return whether the answer is what was asked for, and say why not."""
    progress.explain(usage_line(response))
    if isinstance(sink, WholeSink) and not sink.found_code:
        progress.say("The answer has no fenced code: printed as it is.")
    if response.finish_reason == "length" and not reached_what_was_asked(response, client):
        progress.warn("The answer is not complete: the model reached its own limit of tokens.")
        return ExitStatus.INCOMPLETE
    if not response.content and not response.tool_calls:
        if response.reasoning and response.finish_reason == "length":
            progress.warn("All tokens went into thinking: allow more with `--max-tokens`.")
        else:
            progress.warn("The model answered with nothing.")
        return ExitStatus.INCOMPLETE
    return ExitStatus.ANSWERED


def _print_request(
    client: LLMClient,
    prompt: Prompt,
    command: Generate,
    environment: Environment,
    progress: Progress,
) -> None:
    request = client.preview(prompt, stream=command.streams)
    shown = {
        "method": request.method,
        "url": request.url,  # without a password: a target's address has none
        "headers": request.shown_headers(),
        "body": body_of(request),
    }
    write_json(environment.stdout.buffer, shown, indent=2)
    if not client.target.model:
        progress.say("No model is named: the first of the server's list will be asked.")


def _suggest_models(error: ModelNotFoundError, client: LLMClient) -> None:
    """Put the nearest models that there are into the hint."""
    from difflib import get_close_matches

    target = client.target
    if error.provider not in {None, target.provider.name}:
        return  # a fallback's: the list would be another provider's
    asked = error.model or target.model
    try:
        listed = client.list_models(use_cache=False)
    except LLMError:
        return
    # A model that a variable names by its path is listed, whether it is there or not.
    known = [model.id for model in listed if model.id != asked]
    near = get_close_matches(asked, known, n=3, cutoff=0.4)
    if near:
        error.hint = f"Did you mean {' or '.join(map(repr, near))}?"
    elif known:
        error.hint = f"It has: {', '.join(known[:10])}{'…' if len(known) > 10 else ''}."
