"""The file of the rules: read at the start, and again when it changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from routing.document import Problem
from routing.rules import RulesError, RuleSet
from routing.rules_loading import included_by

_Stat: TypeAlias = tuple[str, int, int, int]


class RulesFile:
    """The rules in force, of a file and those that it includes. A bad edit leaves the old ones in force."""

    def __init__(self, path: Path, read: Callable[[str, Mapping[str, str]], RuleSet]) -> None:
        """Read the files.

        `read` is given the text of the first one, and by their names those of the others.

        Raises:
            RulesError: they cannot be put in force.
        """
        self.path = path
        self.texts: Mapping[str, str] = {}
        """What is in force, by file; that of the first one has no name."""
        self._read = read
        self._patterns: tuple[str, ...] = ()
        self._seen: tuple[_Stat, ...] = ()
        self.rules = self._load()

    def reload(self, *, always: bool = False) -> bool:
        """Put the files in force if any has changed, come or gone since they were last looked at, or always; whether they were.

        Raises:
            RulesError: they cannot be put in force; said once for each change.
        """
        if self._stats() == self._seen and not always:
            return False
        self.rules = self._load()
        return True

    def _load(self) -> RuleSet:
        # Looked at before they are read: what is edited in between is read again.
        self._seen = self._stats()
        try:
            text = self.path.read_text(encoding="utf-8")
            self._patterns = included_by(text)
            self._seen = self._stats()
            included = _texts(_included(self.path, self._patterns))
            rules = self._read(text, included)
        except RulesError as error:
            raise RulesError(error.problems, file=str(self.path)) from None
        except (OSError, UnicodeDecodeError) as error:
            raise RulesError((_problem(error),), file=str(self.path)) from None
        self.texts = {"": text, **included}
        return rules

    def _stats(self) -> tuple[_Stat, ...]:
        """Changes with every edit; an editor that puts a new file in the old one's place changes the inode."""
        return tuple(_stat(path) for path in (self.path, *_included(self.path, self._patterns)))


def texts_at(path: Path) -> dict[str, str]:
    """The texts of a file and of those that it includes, by file, the first one under no name; whether they are right is not looked at.

    Raises:
        RulesError: one of them cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RulesError((_problem(error),), file=str(path)) from None
    return {"": text, **_texts(_included(path, included_by(text)))}


def _included(first: Path, patterns: Iterable[str]) -> list[Path]:
    """The files that are included, each once, in the order of their patterns; those of one pattern by their names."""
    folder = first.parent
    matched = (sorted(folder.glob(pattern)) if "*" in pattern else [folder / pattern] for pattern in patterns)
    return list(dict.fromkeys(path for paths in matched for path in paths if path != first))


def _texts(paths: Iterable[Path]) -> dict[str, str]:
    return {str(path): _read(path) for path in paths}


def _stat(path: Path) -> _Stat:
    try:
        found = path.stat()
    except OSError:
        return (str(path), 0, 0, 0)
    return (str(path), found.st_mtime_ns, found.st_ino, found.st_size)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RulesError((replace(_problem(error), file=str(path)),)) from None


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
