"""The vendors' published specifications, which lie beside the repository; absent, only the project's own assertions hold."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest

from routing.alert import Json

FOLDER = Path(os.environ.get("SHARED_DIR") or Path(__file__).resolve().parents[3] / "shared") / "specs"


def present() -> bool:
    """Whether the specifications are there."""
    return FOLDER.is_dir()


def require() -> None:
    """Skip the test without them."""
    if not present():
        pytest.skip(f"the vendors' specifications are not at {FOLDER}; set SHARED_DIR")


def schema_fault(instance: Json, file: str, definition: str = "") -> str | None:
    """What a strict schema (`slack/message.strict.schema.json`, `#/$defs/incoming_webhook`) has against a value, None if nothing."""
    error = best_match(_validator(file, definition).iter_errors(instance))
    return error and f"{error.json_path}: {error.message[:300]}"


def openapi_fault(
    file: str,
    *,
    host: str,
    path: str,
    body: bytes = b"",
    method: str = "post",
    content_type: str = "application/json",
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> str | None:
    """What a vendor's OpenAPI file has against a request to `host` (as its `servers` name it), None if nothing."""
    request = MockRequest(host, method, path, args=dict(query or {}), headers=dict(headers or {}), data=body, content_type=content_type)
    errors = [str(error.__cause__ or error) for error in _openapi(file).unmarshal_request(request).errors]
    return "; ".join(errors)[:300] or None


@cache
def _validator(file: str, definition: str) -> Draft202012Validator:
    schema: Mapping[str, Json] = json.loads((FOLDER / file).read_text())
    return Draft202012Validator({**schema, **({"$ref": definition} if definition else {})}, format_checker=FormatChecker())


@cache
def _openapi(file: str) -> OpenAPI:
    return OpenAPI.from_file_path(str(FOLDER / file))
