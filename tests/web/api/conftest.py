"""An application with its database, and programs that have a token."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import Engine

from storage.tokens import Scope
from tests.web.programs import Program, api


@pytest.fixture
def made(sqlite_url: str) -> Iterator[tuple[Flask, Engine]]:
    with api(sqlite_url) as both:
        yield both


@pytest.fixture
def app(made: tuple[Flask, Engine]) -> Flask:
    return made[0]


@pytest.fixture
def engine(made: tuple[Flask, Engine]) -> Engine:
    return made[1]


@pytest.fixture
def reader(app: Flask, engine: Engine) -> Program:
    return Program(app, engine, Scope.READ)


@pytest.fixture
def operator(app: Flask, engine: Engine) -> Program:
    return Program(app, engine, Scope.OPERATE)
