"""The JSON Schema of rules.yaml, for editors, made of the forms by which the file is read. Knows no file and checks nothing itself."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from routing.rules_forms import (
    ButtonsForm,
    DefaultsForm,
    FileForm,
    FingerprintForm,
    InhibitionForm,
    NoiseForm,
    ReceiverForm,
    RuleForm,
    StepForm,
    ThrottleForm,
    WatchForm,
)
from routing.rules_schema_words import DESCRIPTIONS, WRITTEN, Schema
from routing.templates import TemplateForm
from routing.windows import WindowForm

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The newest one that editors' YAML plug-ins all know."""

_SECTIONS: Mapping[str, type[BaseModel]] = {
    "defaults": DefaultsForm,
    "windows": WindowForm,
    "fingerprints": FingerprintForm,
    "ignore": NoiseForm,
    "inhibit": InhibitionForm,
    "throttles": ThrottleForm,
    "templates": TemplateForm,
    "buttons": ButtonsForm,
    "watch": WatchForm,
    "rules": RuleForm,
}
"""Whose form stands under which key of the file; receivers have theirs by kind."""
_LISTED = ("fingerprints", "ignore", "inhibit", "throttles", "rules")
_VARIABLE = r"\$\{\w+\}"
"""A variable of the environment may stand in any value."""
_ANY_WORD = ("string", "number", "boolean")
_TRUTH = "^([Tt]([Rr][Uu][Ee])?|[Ff]([Aa][Ll][Ss][Ee])?|[Yy]([Ee][Ss])?|[Nn][Oo]?|[Oo][Nn]|[Oo][Ff][Ff]|[01])$"
_UNWANTED = frozenset({"title", "default", "writeOnly", "format"})
"""What pydantic adds and no editor needs; its defaults are not as YAML writes them."""


def rules_schema(kinds: Mapping[str, type[BaseModel]]) -> Schema:
    """What a rules.yaml may hold, by the options of each kind of receiver.

    It takes all that `rules_loading.load` takes, with YAML's numbers and booleans for the words that they are there, and with
    `${NAME}` for any value. What hangs on other parts of the file, such as a name that is defined nowhere, it cannot know.
    """
    models: tuple[type[BaseModel], ...] = (FileForm, ReceiverForm, StepForm, *_SECTIONS.values(), *kinds.values())
    _, made = models_json_schema([(model, "validation") for model in models], schema_generator=_Generator)
    forms = {_short(name): _described(_short(name), _as_written(form)) for name, form in made["$defs"].items()}
    file, receiver = forms.pop("File"), forms.pop("Receiver")
    properties = _properties(file)
    for section, model in _SECTIONS.items():
        reference = _reference(_short(model.__name__))
        properties[section] = {**_section(section, reference), **_description(f"File.{section}", section)}
    properties["receivers"] = {**_section("receivers", _reference("Receiver")), **_description("File.receivers", "")}
    _properties(forms["Rule"])["else"] = {**_section("rules", _reference("Rule")), **_description("else", "")}
    forms |= {f"receiver-{kind}": _of_kind(receiver, forms.pop(_short(model.__name__))) for kind, model in kinds.items()}
    schema = {"$schema": DIALECT, **file, "title": "rules.yaml", "description": "Who is told about which alert."}
    return {**schema, "$defs": _reached(schema, {**forms, "Receiver": _by_kind(kinds)})}


class _Generator(GenerateJsonSchema):
    """Pydantic's, with what our own readers of values take: into those it cannot look."""

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> JsonSchemaValue:
        """What is read by a function alone."""
        return dict(WRITTEN[_reader(schema)])

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        """What is read by a function, then by pydantic."""
        written = WRITTEN.get(_reader(schema))
        return super().function_before_schema(schema) if written is None else dict(written)


def _reader(schema: core_schema.PlainValidatorFunctionSchema | core_schema.BeforeValidatorFunctionSchema) -> str:
    return str(getattr(schema["function"]["function"], "__name__", ""))


def _short(name: str) -> str:
    return name.removeprefix("_").removesuffix("Form")


def _reference(form: str) -> Schema:
    return {"$ref": f"#/$defs/{form}"}


def _section(section: str, item: Schema) -> Schema:
    """A part of the file that holds forms."""
    if section in {"defaults", "buttons", "watch"}:
        return item
    if section in _LISTED:
        return {"type": "array", "items": item}
    return {"type": "object", "propertyNames": WRITTEN["_name"], "additionalProperties": item}


def _of_kind(receiver: Schema, options: Schema) -> Schema:
    """What a receiver of a kind has: its options, and what every receiver has."""
    required = options.get("required")
    return {
        **options,
        "properties": {**_properties(receiver), **_properties(options)},
        "required": ["kind", *(required if isinstance(required, list) else ())],
    }


def _by_kind(kinds: Mapping[str, type[BaseModel]]) -> Schema:
    """By `if`, so that an editor complains of the kind that was meant, and of no other."""
    written = {kind: {"properties": {"kind": {"const": kind}}, "required": ["kind"]} for kind in kinds}
    return {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"anyOf": [{"enum": list(kinds)}, _a_variable()]}},
        "allOf": [{"if": written[kind], "then": _reference(f"receiver-{kind}")} for kind in kinds],
    }


def _described(form: str, schema: Schema) -> Schema:
    """A form whose keys say what they mean."""
    properties = _properties(schema)
    for key, value in properties.items():
        properties[key] = {**(value if isinstance(value, dict) else {}), **_description(f"{form}.{key}", key)}
    return schema


def _description(*names: str) -> Schema:
    found = next((DESCRIPTIONS[name] for name in names if name in DESCRIPTIONS), None)
    return {"description": found} if found else {}


def _properties(schema: Schema) -> Schema:
    properties = schema.get("properties")
    return properties if isinstance(properties, dict) else {}


def _reached(schema: Schema, definitions: Schema) -> Schema:
    """The definitions that the schema needs, in the order of their names; pydantic gives those of what our readers make, too."""
    found: set[str] = set()
    waiting: list[object] = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            name = str(value.get("$ref", "")).rpartition("/")[2]
            waiting += [*value.values(), *([definitions[name]] if name and name not in found else [])]
            found |= {name}
        elif isinstance(value, list):
            waiting += value
    return {name: definitions[name] for name in sorted(found - {""})}


def _as_written(schema: Mapping[str, object]) -> Schema:
    """A schema of values, as YAML's own types write them."""
    found: Schema = {}
    for key, value in schema.items():
        if key in {"properties", "patternProperties"} and isinstance(value, Mapping):
            found[key] = {name: _as_written(inner) for name, inner in value.items()}
        elif key == "$ref":
            found[key] = _reference(_short(str(value).rpartition("/")[2]))["$ref"]
        elif isinstance(value, Mapping):
            found[key] = _as_written(value)
        elif key in {"anyOf", "oneOf", "allOf"} and isinstance(value, list):
            found[key] = [_as_written(inner) for inner in value]
        elif key not in _UNWANTED:
            found[key] = value
    return _as_word(found)


def _as_word(schema: Schema) -> Schema:
    """Our reader takes every value for the word that was written, so what YAML makes of it is as good."""
    written = schema.get("type")
    if written == "boolean":
        return {"anyOf": [{"type": "boolean"}, {"enum": [0, 1]}, {"type": "string", "pattern": _TRUTH}, _a_variable()]}
    if written == "integer":
        return {"anyOf": [schema, {"type": "string", "pattern": "^ *[+-]?[0-9]"}, _a_variable()]}
    if "enum" in schema:
        return {"anyOf": [schema, _a_variable()]}
    if "pattern" in schema:
        return {**schema, "pattern": f"{schema['pattern']}|{_VARIABLE}"}
    return {**schema, "type": list(_ANY_WORD)} if written == "string" else schema


def _a_variable() -> Schema:
    return {"type": "string", "pattern": _VARIABLE}
