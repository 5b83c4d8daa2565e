"""The OpenAPI document of the API, from what its paths declare of themselves (docs/adr/0009-openapi-of-our-own.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from inspect import getdoc
from typing import Any, TypeAlias

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from storage.tokens import PREFIX, Scope
from web.api.operations import JSON, Operation, operation_of
from web.api.problems import MIMETYPE, Problem

Schema: TypeAlias = "dict[str, Any]"

REFERENCE = "#/components/schemas/{model}"
ABOUT = (
    "What the console shows and does, for programs. Send a token with each request; an admin makes them under People. Lists go on at "
    "`next` until it is null. What is wrong is said as RFC 9457 has it."
)
SCOPES = {Scope.READ: "look", Scope.OPERATE: "and acknowledge, resolve, silence, send again", Scope.ADMIN: "and read the audit"}
_PARAMETER = re.compile(r"<(?:(\w+)(?:\([^)]*\))?:)?(\w+)>")
_OF_PATH = {
    "int": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
    "": {"type": "string"},
}


def document(app: Flask, blueprint: str) -> Schema:
    """All paths of a blueprint that are operations."""
    found = [*_operations(app, blueprint)]
    forms = {form for _, said in found for form in (said.answer, said.body, Problem) if form}
    _, definitions = models_json_schema(
        sorted(((form, _mode(form, found)) for form in forms), key=lambda one: one[0].__name__), ref_template=REFERENCE
    )
    paths: dict[str, Schema] = {}
    for rule, said in found:
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            view = app.view_functions[rule.endpoint]
            paths.setdefault(_PARAMETER.sub(r"{\2}", rule.rule), {})[method.lower()] = _described(rule, said, getdoc(view) or "")
    return {
        "openapi": "3.1.0",
        "info": {"title": "Alert router", "version": "1", "description": ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": _scopes()}},
        },
    }


def _operations(app: Flask, blueprint: str) -> Iterator[tuple[Rule, Operation]]:
    for rule in sorted(app.url_map.iter_rules(), key=lambda one: (one.rule, one.endpoint)):
        said = operation_of(app.view_functions[rule.endpoint])
        if said and rule.endpoint.startswith(f"{blueprint}."):
            yield rule, said


def _mode(form: type[BaseModel], found: list[tuple[Rule, Operation]]) -> Any:  # noqa: ANN401 - pydantic's own pair of words
    return "validation" if any(said.body is form for _, said in found) else "serialization"


def _described(rule: Rule, said: Operation, words: str) -> Schema:
    """One operation."""
    summary, _, more = words.partition("\n")
    whole: Schema = {
        "operationId": rule.endpoint.rpartition(".")[2],
        "summary": summary,
        "tags": [rule.rule.split("/")[3]],
        "security": [{"token": [said.scope]}] if said.scope else [],
        "parameters": [*_of_path(rule), *_of_query(said)],
        "responses": {str(said.status): _good(said), **{str(status): _bad(why) for status, why in _refusals(rule, said).items()}},
    }
    if more.strip():
        whole["description"] = more.strip()
    if said.body:
        whole["requestBody"] = {"required": True, "content": {JSON: {"schema": _reference(said.body)}}}
    return whole


def _of_path(rule: Rule) -> Iterator[Schema]:
    for kind, name in _PARAMETER.findall(rule.rule):
        yield {"name": name, "in": "path", "required": True, "schema": _OF_PATH[kind]}


def _of_query(said: Operation) -> Iterator[Schema]:
    """Whatever may be left out, so `null` need not be said."""
    schema = said.query.model_json_schema() if said.query else {}
    for name, content in schema.get("properties", {}).items():
        plain: Schema = next((kind for kind in content.get("anyOf", ()) if kind.get("type") != "null"), {})
        kept = {key: value for key, value in content.items() if key not in {"anyOf", "title", "description", "default"}}
        merged = _inlined({**kept, **plain}, schema.get("$defs", {}))
        if content.get("default") is not None:
            merged["default"] = content["default"]
        yield {"name": name, "in": "query", "required": False, "description": content.get("description", ""), "schema": merged}


def _inlined(content: Schema, definitions: Mapping[str, Schema]) -> Schema:
    reference = content.pop("$ref", None)
    if reference:
        content |= {key: value for key, value in definitions[reference.rpartition("/")[2]].items() if key not in {"title", "description"}}
    return content


def _good(said: Operation) -> Schema:
    schema: Schema = _reference(said.answer) if said.answer else {"type": "object"}
    return {"description": HTTPStatus(said.status).phrase, "content": {JSON: {"schema": schema}}}


def _bad(why: str) -> Schema:
    return {"description": why, "content": {MIMETYPE: {"schema": _reference(Problem)}}}


def _refusals(rule: Rule, said: Operation) -> dict[int, str]:
    """By status when."""
    found = {429: "too many requests: wait as long as Retry-After says", 500: "it failed", 503: "busy: try again"}
    if said.scope:
        found |= {401: "no token, or none that is good", 403: f"a token of another scope than {said.scope}"}
    if rule.arguments:
        found |= {404: "there is none of this number"}
    if said.query or said.body:
        found |= {422: "it can be read, and makes no sense"}
    if said.body:
        found |= {400: "no JSON", 413: "too large", 415: "not said to be JSON"}
    return {**found, **said.refuses}


def _reference(form: type[BaseModel]) -> Schema:
    return {"$ref": REFERENCE.format(model=form.__name__)}


def _scopes() -> str:
    words = "; ".join(f"`{scope}`: {what}" for scope, what in SCOPES.items())
    return f"A token of the console, `{PREFIX}…`. Its scope: {words}."
