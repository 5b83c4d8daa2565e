"""The file of the rules: read at the start, and again when it changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from routing.document import Problem
from routing.rules import RulesError, RuleSet


class RulesFile:
    """The rules in force. A bad edit leaves the old ones in force."""

    def __init__(self, path: Path, read: Callable[[str], RuleSet]) -> None:
        """Read the file.

        Raises:
            RulesError: it cannot be put in force.
        """
        self.path = path
        self._read = read
        self._seen = self._fingerprint()
        self.rules = self._load()

    def reload(self) -> bool:
        """Put the file in force if it has changed since it was last looked at; whether it was.

        Raises:
            RulesError: it has changed and cannot be put in force; said once for each change.
        """
        found = self._fingerprint()
        if found == self._seen:
            return False
        self._seen = found
        self.rules = self._load()
        return True

    def _load(self) -> RuleSet:
        try:
            return self._read(self.path.read_text(encoding="utf-8"))
        except RulesError as error:
            raise RulesError(error.problems, file=str(self.path)) from None
        except (OSError, UnicodeDecodeError) as error:
            raise RulesError((_problem(error),), file=str(self.path)) from None

    def _fingerprint(self) -> tuple[int, ...]:
        """Changes with every edit; an editor that puts a new file in the old one's place changes the inode."""
        try:
            found = self.path.stat()
        except OSError:
            return ()
        return (found.st_mtime_ns, found.st_ino, found.st_size)


def _problem(error: OSError | UnicodeDecodeError) -> Problem:
    """Why a file could not be read, and what to do."""
    match error:
        case UnicodeDecodeError():
            before = error.object[: error.start].split(b"\n")
            message, line, column = "this is no UTF-8; save the file as UTF-8", len(before), len(before[-1].decode()) + 1
        case FileNotFoundError():
            message, line, column = "there is no such file; set RULES_FILE, or run from the folder that holds it", 1, 1
        case _:
            message, line, column = f"cannot be read: {error.strerror}", 1, 1
    return Problem(line=line, column=column, place="", message=message)
