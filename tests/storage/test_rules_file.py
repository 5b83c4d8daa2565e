"""The file of the rules, as people edit it while the service runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from notifiers.preview import PreviewOptions
from routing.rules import RulesError, RuleSet
from routing.rules_loading import load
from storage.rules_file import RulesFile

GOOD, OTHER = "version: 1\nreceivers: {}\nrules: []\n", "version: 1\nreceivers: {}\nrules: [] # other\n"
BAD = "version: 1\nreceivers: {}\nrules: [] \nrule: x\n"


def read(text: str, included: Mapping[str, str]) -> RuleSet:
    return load(text, kinds={"preview": PreviewOptions}, environment={}, included=included)


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
    assert RulesFile(path, read).rules == read(GOOD, {})


def test_a_file_that_has_not_changed_is_not_read_again(path: Path) -> None:
    texts: list[str] = []
    file = RulesFile(path, lambda text, included: texts.append(text) or read(text, included))  # type: ignore[func-returns-value]  # list.append

    assert [file.reload() for _ in range(3)] == [False] * 3
    assert texts == [GOOD]


def test_a_change_is_put_in_force(path: Path) -> None:
    file = RulesFile(path, read)
    edit(path, OTHER)

    changed, again = file.reload(), file.reload()

    assert (changed, again) == (True, False)
    assert file.rules == read(OTHER, {})


def test_a_new_file_in_the_old_ones_place_is_a_change_even_with_the_old_time(path: Path) -> None:
    file = RulesFile(path, read)
    new = path.with_name("rules.yaml~")
    new.write_text(OTHER, encoding="utf-8")
    os.utime(new, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    new.replace(path)

    assert file.reload()
    assert file.rules == read(OTHER, {})


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
    assert file.rules == read(OTHER, {})


class TestABadEdit:
    def test_leaves_the_old_rules_in_force(self, path: Path) -> None:
        file = RulesFile(path, read)
        edit(path, BAD)

        with pytest.raises(RulesError, match=r"rules\.yaml:4:1: rule: unknown key"):
            file.reload()

        assert file.rules == read(GOOD, {})

    def test_is_said_once(self, path: Path) -> None:
        file = RulesFile(path, read)
        edit(path, BAD)
        with pytest.raises(RulesError):
            file.reload()

        assert [file.reload() for _ in range(3)] == [False] * 3
        assert file.rules == read(GOOD, {})

    def test_can_be_mended(self, path: Path) -> None:
        file = RulesFile(path, read)
        edit(path, BAD)
        with pytest.raises(RulesError):
            file.reload()
        edit(path, OTHER)

        assert file.reload()
        assert file.rules == read(OTHER, {})

    def test_can_be_taken_back(self, path: Path) -> None:
        file = RulesFile(path, read)
        edit(path, BAD)
        with pytest.raises(RulesError):
            file.reload()
        edit(path, GOOD)

        assert file.reload()
        assert file.rules == read(GOOD, {})


class TestADeletedFile:
    def test_leaves_the_old_rules_in_force_and_is_said_once(self, path: Path) -> None:
        file = RulesFile(path, read)
        path.unlink()

        with pytest.raises(RulesError, match="there is no such file"):
            file.reload()

        assert not file.reload()
        assert file.rules == read(GOOD, {})

    def test_may_come_back(self, path: Path) -> None:
        file = RulesFile(path, read)
        path.unlink()
        with pytest.raises(RulesError):
            file.reload()
        path.write_text(OTHER, encoding="utf-8")

        assert file.reload()
        assert file.rules == read(OTHER, {})


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


INCLUDING = "version: 1\ninclude: [rules.d/*.yaml, team.yaml]\nreceivers: {chat: {kind: preview}}\nrules: []\n"


def rule(name: str, receiver: str = "chat") -> str:
    return f"version: 1\nrules:\n  - {{name: {name}, when: '', notify: [{receiver}]}}\n"


class TestFilesThatAreIncluded:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        (tmp_path / "rules.d").mkdir()
        for name, text in (
            ("rules.yaml", INCLUDING),
            ("rules.d/b.yaml", rule("b")),
            ("rules.d/a.yaml", rule("a")),
            ("team.yaml", rule("t")),
        ):
            (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / "rules.yaml"

    def test_their_rules_follow_in_the_order_of_the_files(self, path: Path) -> None:
        file = RulesFile(path, read)

        assert file.rules.names == ("a", "b", "t")
        assert sorted(map(os.path.basename, file.texts)) == ["", "a.yaml", "b.yaml", "team.yaml"]

    def test_an_edit_of_one_is_put_in_force_and_changes_the_version(self, path: Path) -> None:
        file = RulesFile(path, read)
        version = file.rules.version

        edit(path.parent / "team.yaml", rule("other"))

        assert (file.reload(), file.reload()) == (True, False)
        assert file.rules.names == ("a", "b", "other")
        assert file.rules.version != version

    def test_one_that_comes_or_goes_is_an_edit_too(self, path: Path) -> None:
        file = RulesFile(path, read)
        (path.parent / "rules.d" / "c.yaml").write_text(rule("c"), encoding="utf-8")

        assert file.reload()
        assert list(file.rules.names) == ["a", "b", "c", "t"]

        (path.parent / "rules.d" / "c.yaml").unlink()
        assert file.reload()
        assert list(file.rules.names) == ["a", "b", "t"]

    def test_a_fault_is_told_with_its_own_file_and_line(self, path: Path) -> None:
        (path.parent / "team.yaml").write_text(rule("a") + rule("x", "nobody").partition("\n")[2].partition("\n")[2], encoding="utf-8")

        team, first = path.parent / "team.yaml", path.parent / "rules.d" / "a.yaml"

        assert problems(path).splitlines() == [
            f'{team}:3:12: rules.a.name: "a" names the rule of line 3 of {first} already; rename one of them',
            f'{team}:4:34: rules.x.notify.0: no receiver "nobody"; define it under receivers',
        ]

    def test_a_name_twice_is_a_fault_that_names_both_places(self, path: Path) -> None:
        (path.parent / "team.yaml").write_text("version: 1\nreceivers:\n  chat: {kind: preview}\n", encoding="utf-8")

        assert f"{path.parent}/team.yaml:3:3: " in problems(path)
        assert "this name is defined in line 3 of the first file already; rename one of them" in problems(path)

    def test_what_holds_for_all_stands_in_the_first(self, path: Path) -> None:
        (path.parent / "team.yaml").write_text("defaults: {cooldown: 1h}\ninclude: [x.yaml]\n", encoding="utf-8")

        assert problems(path).count("stands in the first file alone; take it out") == 2

    def test_one_that_is_not_there_or_no_yaml_is_a_fault(self, path: Path) -> None:
        (path.parent / "team.yaml").unlink()
        assert problems(path).startswith(f"{path.parent}/team.yaml:1:1: there is no such file")

        (path.parent / "team.yaml").write_text("rules: [", encoding="utf-8")
        assert problems(path).startswith(f"{path.parent}/team.yaml:1:")

    @pytest.mark.parametrize("pattern", ["/etc/passwd", "../other.yaml", "~/x.yaml", ""])
    def test_only_files_beside_it_or_below_are_included(self, path: Path, pattern: str) -> None:
        path.write_text(INCLUDING.replace("team.yaml", f"'{pattern}'"), encoding="utf-8")

        assert "is no file beside this one or below; write one like rules.d/*.yaml" in problems(path)
