"""The API is as its OpenAPI document says, whatever is sent to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import positive_data_acceptance

from storage.tokens import Scope
from tests.storage.planned import notified, store
from tests.web.programs import api, make_token, put_in_force

EXAMPLES = 12
"""Right requests to each operation, and as many wrong ones."""
AS_EVER = settings(
    max_examples=EXAMPLES,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
    deadline=None,
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Flask]:
    """One that has something to show."""
    path = tmp_path_factory.mktemp("api") / "router.db"
    path.write_bytes(sqlite_template.read_bytes())
    with api(f"sqlite:///{path}") as (made, engine):
        put_in_force(engine)
        notified(engine)
        store(engine)
        made.config["API_TOKEN"] = make_token(engine, Scope.ADMIN)
        yield made


def test_the_document_is_one_of_openapi_3_1(app: Flask) -> None:
    described = app.test_client().get("/api/v1/openapi.json").json

    assert described
    assert described["openapi"] == "3.1.0"
    assert list(OpenAPIV31SpecValidator(described).iter_errors()) == []


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_as_the_document_says(app: Flask, mode: GenerationMode) -> None:
    described = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    headers = {"Authorization": f"Bearer {app.config['API_TOKEN']}"}

    operations = [found.ok() for found in described.get_all_operations() if isinstance(found, Ok)]
    asked = [one.label for one in operations if _asks(one, mode, headers)]

    assert len(asked) >= 15


def _asks(operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, headers: dict[str, str]) -> bool:
    """Send it requests; whether any can be made in this way."""

    @AS_EVER
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case[Any]) -> None:
        # What a schema cannot say, of a condition or a cursor, say, is refused in words.
        case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

    try:
        ask()
    except Unsatisfiable:
        return False
    return True
