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
            raise RulesError((Problem(line=1, column=1, place="", message=f"cannot be read: {error}"),), file=str(self.path)) from None

    def _fingerprint(self) -> tuple[int, int]:
        """Changes with every edit; an editor that puts a new file in the old one's place changes the inode."""
        try:
            found = self.path.stat()
        except OSError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_ino)
