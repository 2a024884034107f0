"""What can go wrong, each with the exit code that says where to look."""

import errno
from enum import IntEnum


class ExitCode(IntEnum):
    """The codes of every command; `docs/reference/cli.md` shows this table."""

    OK = 0
    UNEXPECTED = 1
    ANSWERS = 2
    DESTINATION = 3
    ENVIRONMENT = 4
    INTERRUPTED = 130
    TERMINATED = 143


MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.UNEXPECTED: "an error in Prewired itself; the message says how to report it",
    ExitCode.ANSWERS: "the command line, an answer or a file of defaults is wrong",
    ExitCode.DESTINATION: "the destination cannot take a service",
    ExitCode.ENVIRONMENT: "the machine stood in the way: a full disk, a missing program, a damaged install",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C",
    ExitCode.TERMINATED: "terminated by a signal",
}


class Failure(Exception):
    """A failure that one sentence explains to whoever typed the command."""

    code = ExitCode.UNEXPECTED


class AnswersRefused(Failure):
    code = ExitCode.ANSWERS


class DestinationRefused(Failure):
    code = ExitCode.DESTINATION


class EnvironmentRefused(Failure):
    code = ExitCode.ENVIRONMENT


REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file grew over the limit of this session",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.ENAMETOOLONG: "the path is too long",
}


def reason(error: OSError) -> str:
    """Say in plain words why the operating system refused."""
    fallback = (error.strerror or str(error) or type(error).__name__).lower()
    return REASONS.get(error.errno or 0, fallback)
