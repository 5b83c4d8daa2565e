"""What stands in a body and is read when somebody asks for it.

Most alerts are decided without their stack traces, and a planner holds a hundred alerts at once: read in advance, their bodies are
megabytes that push everything else out of the processor's caches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import overload

from routing.alert import Frame, Json
from routing.payload import Object

_LARGE = frozenset({dict, list})
_UNREAD: Json = {}
"""This very one."""


class UnreadObject(Mapping[str, Json]):
    """An object of which the members that hold others are forgotten, until one of them is asked for."""

    def __init__(self, content: Object, read_again: Callable[[], Object]) -> None:
        """`read_again` gives an object like `content`; it is called once, or never."""
        self._members = {key: _UNREAD if type(value) in _LARGE else value for key, value in content.items()}
        self._read_again = read_again

    @cached_property
    def _whole(self) -> Object:
        return self._read_again()

    def __getitem__(self, key: str) -> Json:
        found = self._members[key]
        return self._whole[key] if found is _UNREAD else found

    def __contains__(self, key: object) -> bool:
        return key in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


class UnreadFrames(Sequence[Frame]):
    """The frames of a stack that `read` gives, called once; like a tuple of them."""

    def __init__(self, read: Callable[[], tuple[Frame, ...]]) -> None:
        self._read = read

    @cached_property
    def _frames(self) -> tuple[Frame, ...]:
        return self._read()

    @overload
    def __getitem__(self, index: int) -> Frame: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Frame, ...]: ...

    def __getitem__(self, index: int | slice) -> Frame | tuple[Frame, ...]:
        return self._frames[index]

    def __len__(self) -> int:
        return len(self._frames)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._frames == tuple(other)

    def __hash__(self) -> int:
        return hash(self._frames)
