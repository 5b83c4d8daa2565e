"""The file of the rules, as people edit it while the service runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from routing.rules import RulesError, RuleSet
from routing.rules_loading import load
from storage.rules_file import RulesFile

GOOD, OTHER = "version: 1\nreceivers: {}\nrules: []\n", "version: 1\nreceivers: {}\nrules: [] # other\n"
BAD = "version: 1\nreceivers: {}\nrules: [] \nrule: x\n"


def read(text: str) -> RuleSet:
    return load(text, kinds={}, environment={})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def edit(path: Path, text: str) -> None:
    """Write as an editor does that writes into the file; its time moves on even on a coarse clock."""
    before = path.stat().st_mtime_ns
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(before + 1_000_000, before + 1_000_000))


def problems(path: Path) -> str:
    with pytest.raises(RulesError) as refused:
        RulesFile(path, read)
    return str(refused.value)


def test_the_file_is_in_force_from_the_start(path: Path) -> None:
    assert RulesFile(path, read).rules == read(GOOD)


def test_a_file_that_has_not_changed_is_not_read_again(path: Path) -> None:
    texts: list[str] = []
    file = RulesFile(path, lambda text: texts.append(text) or read(text))  # type: ignore[func-returns-value]  # list.append

    assert [file.reload() for _ in range(3)] == [False] * 3
    assert texts == [GOOD]


def test_a_change_is_put_in_force(path: Path) -> None:
    file = RulesFile(path, read)
    edit(path, OTHER)

    changed, again = file.reload(), file.reload()

    assert (changed, again) == (True, False)
    assert file.rules == read(OTHER)


def test_a_new_file_in_the_old_ones_place_is_a_change_even_with_the_old_time(path: Path) -> None:
    file = RulesFile(path, read)
    new = path.with_name("rules.yaml~")
    new.write_text(OTHER, encoding="utf-8")
    os.utime(new, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    new.replace(path)

    assert file.reload()
    assert file.rules == read(OTHER)


def test_a_folder_swapped_below_the_file_is_a_change(tmp_path: Path) -> None:
    for name, text in (("one", GOOD), ("two", OTHER)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rules.yaml").write_text(text, encoding="utf-8")
    current = tmp_path / "current"
    current.symlink_to("one")
    file = RulesFile(current / "rules.yaml", read)

    # As Kubernetes brings a new version of a ConfigMap.
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").replace(current)

    assert file.reload()
    assert file.rules == read(OTHER)


class TestABadEdit:
    def test_leaves_the_old_rules_in_force(self, path: Path) -> None:
        file = RulesFile(path, read)
        edit(path, BAD)

        with pytest.raises(RulesError, match=r"rules\.yaml:4:1: rule: unknown key"):
            file.reload()

        assert file.rules == read(GOOD)

    def test_is_said_once(self, path: Path) -> None:
        file = RulesFile(path, read)
        edit(path, BAD)
        with pytest.raises(RulesError):
            file.reload()

        assert [file.reload() for _ in range(3)] == [False] * 3
        assert file.rules == read(GOOD)

    def test_can_be_mended(self, path: Path) -> None:
        file = RulesFile(path, read)
        edit(path, BAD)
        with pytest.raises(RulesError):
            file.reload()
        edit(path, OTHER)

        assert file.reload()
        assert file.rules == read(OTHER)

    def test_can_be_taken_back(self, path: Path) -> None:
        file = RulesFile(path, read)
        edit(path, BAD)
        with pytest.raises(RulesError):
            file.reload()
        edit(path, GOOD)

        assert file.reload()
        assert file.rules == read(GOOD)


class TestADeletedFile:
    def test_leaves_the_old_rules_in_force_and_is_said_once(self, path: Path) -> None:
        file = RulesFile(path, read)
        path.unlink()

        with pytest.raises(RulesError, match="there is no such file"):
            file.reload()

        assert not file.reload()
        assert file.rules == read(GOOD)

    def test_may_come_back(self, path: Path) -> None:
        file = RulesFile(path, read)
        path.unlink()
        with pytest.raises(RulesError):
            file.reload()
        path.write_text(OTHER, encoding="utf-8")

        assert file.reload()
        assert file.rules == read(OTHER)


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"

    assert problems(path) == f"{path}:1:1: there is no such file; set RULES_FILE, or run from the folder that holds it"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert problems(tmp_path) == f"{tmp_path}:1:1: cannot be read: Is a directory"


def test_a_file_that_is_not_utf_8_says_where(path: Path) -> None:
    path.write_bytes("version: 1\n# für alle\n".encode("latin-1"))

    assert problems(path) == f"{path}:2:4: this is no UTF-8; save the file as UTF-8"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_file_in_another_unicode_says_so(path: Path, encoding: str) -> None:
    path.write_bytes(GOOD.encode(encoding))

    assert problems(path) == f"{path}:1:1: this is no UTF-8; save the file as UTF-8"


@pytest.mark.parametrize("text", ["\ufeff" + GOOD, GOOD.replace("\n", "\r\n")], ids=["byte order mark", "Windows line ends"])
def test_a_file_from_windows_is_taken(path: Path, text: str) -> None:
    path.write_bytes(text.encode())

    assert RulesFile(path, read).rules.rules == ()


def test_a_huge_file_is_refused_and_not_parsed(path: Path) -> None:
    path.write_bytes(b"- " + b"x" * 2 * 1024 * 1024)

    assert problems(path) == f"{path}:1:1: longer than 262,144 characters; is this the right file?"
