"""The command line: every command, its options, and one sentence for every failure."""

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from prewired import __version__
from prewired.destination import Terminated
from prewired.destination import end_on_signals
from prewired.failures import MEANINGS
from prewired.failures import ExitCode
from prewired.failures import Failure
from prewired.failures import reason
from prewired.terminal import people

EXIT_CODES = "\n\n".join(f"{code.value}  {meaning}" for code, meaning in MEANINGS.items())

app = typer.Typer(
    name="prewired",
    help="Start a complete service from a template, and see what its flags add.",
    epilog=f"Exit codes:\n\n{EXIT_CODES}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run a command; end with its exit code and, where it failed, with one line on stderr."""
    end_on_signals()
    try:
        code = app(standalone_mode=False) or ExitCode.OK
        if code == ExitCode.INTERRUPTED:
            _say("interrupted; nothing was written")
    except (Failure, TyperException) as failure:
        code = failure.code if isinstance(failure, Failure) else ExitCode.ANSWERS
        _say(failure.format_message() if isinstance(failure, TyperException) else str(failure))
    except OSError as error:
        code = ExitCode.ENVIRONMENT
        where = f" ({error.filename})" if error.filename else ""
        _say(f"stopped, nothing was written: {reason(error)}{where}")
    except Terminated:
        code = ExitCode.TERMINATED
        _say("terminated; nothing was written")
    except Exception as error:  # noqa: BLE001  the last resort: a person never sees a traceback
        code = ExitCode.UNEXPECTED
        _say(
            f"this is an error in Prewired: {type(error).__name__}: {' '.join(str(error).split())}"
        )
        _report()
    sys.exit(int(code))


def _say(sentence: str) -> None:
    people.print(f"prewired: {sentence}", markup=False, soft_wrap=True)


def _report() -> None:
    if os.environ.get("PREWIRED_TRACEBACK"):
        traceback.print_exc()
    else:
        _say("please report it with what PREWIRED_TRACEBACK=1 prints for the same command")


def _version(asked: bool) -> None:
    if asked:
        print(f"prewired {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    del version


@app.command()
def new(
    destination: Annotated[
        Path,
        typer.Argument(metavar="DEST", help="The folder to make; it must not exist, or be empty."),
    ],
    data: Annotated[
        list[str] | None,
        typer.Option("--data", "-d", metavar="KEY=VALUE", help="Answer a question. Repeatable."),
    ] = None,
    defaults: Annotated[
        Path | None,
        typer.Option(
            "--defaults",
            metavar="FILE",
            help="An organisation's defaults: a YAML file of answers. Else PREWIRED_DEFAULTS names it.",
        ),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Ask nothing: take the default of what is not given."),
    ] = False,
) -> None:
    """Make a new service in DEST.

    On a terminal it asks what `-d` does not answer; anywhere else it takes the defaults. It needs no
    network, runs nothing and commits nothing.
    """
    from prewired.new import new_service

    new_service(destination, data or [], defaults, ask=not yes)


@app.command()
def flags(
    flag: Annotated[str | None, typer.Argument(metavar="[FLAG]", help="One flag only.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON for machines.")] = False,
) -> None:
    """Show what each flag adds to a service: files, lines, dependencies, processes."""
    from prewired.flags import show

    show(flag, as_json=as_json)
