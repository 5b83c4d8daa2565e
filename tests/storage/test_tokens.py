"""Tokens: what is kept of them cannot be used, and they end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from storage import tokens
from storage.tokens import Scope, TokenError
from tests.factories import NOW

DAY = timedelta(days=1)


def test_a_token_is_known_by_its_text_and_by_nothing_that_is_stored(engine: Engine) -> None:
    token, plain = tokens.add(engine, " ci ", Scope.OPERATE, NOW, made_by="ann", expires_at=None)

    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM tokens")).one()

    assert plain.startswith("sar_")
    assert len(plain) > 40
    assert plain not in str(row)
    assert bytes(row.token_hash) not in plain.encode()
    assert (token.name, token.scope, token.made_by) == ("ci", Scope.OPERATE, "ann")
    assert tokens.holder(engine, plain, NOW) == token
    assert tokens.holder(engine, plain + "x", NOW) is None
    assert tokens.holder(engine, "", NOW) is None


def test_a_token_ends_when_it_was_said_to(engine: Engine) -> None:
    _, plain = tokens.add(engine, "ci", Scope.READ, NOW, made_by="ann", expires_at=NOW + DAY)

    assert tokens.holder(engine, plain, NOW + DAY - timedelta(seconds=1))
    assert tokens.holder(engine, plain, NOW + DAY) is None


def test_a_token_that_was_revoked_is_known_no_more(engine: Engine) -> None:
    token, plain = tokens.add(engine, "ci", Scope.READ, NOW, made_by="ann", expires_at=None)

    revoked = tokens.revoke(engine, token.id)

    assert revoked == token
    assert tokens.revoke(engine, token.id) is None
    assert tokens.holder(engine, plain, NOW) is None


def test_its_last_use_is_noted_once_a_minute(engine: Engine) -> None:
    _, plain = tokens.add(engine, "ci", Scope.READ, NOW, made_by="ann", expires_at=None)

    noted = []
    for seconds in (0, 59, 60):
        tokens.holder(engine, plain, NOW + timedelta(seconds=seconds))
        noted.append(tokens.listed(engine)[0].last_used_at)

    assert noted == [NOW, NOW, NOW + timedelta(seconds=60)]


@pytest.mark.parametrize(("name", "lasts"), [("", DAY), ("x" * 101, DAY), ("a\nb", DAY), ("ci", -DAY), ("ci", timedelta())])
def test_one_that_makes_no_sense_is_not_made(engine: Engine, name: str, lasts: timedelta) -> None:
    with pytest.raises(TokenError):
        tokens.add(engine, name, Scope.READ, NOW, made_by="ann", expires_at=NOW + lasts)

    assert tokens.listed(engine) == ()


def test_a_scope_covers_those_below_it() -> None:
    assert [[one.covers(other) for other in Scope] for one in Scope] == [[True, False, False], [True, True, False], [True, True, True]]
