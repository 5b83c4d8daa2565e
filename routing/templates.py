"""Templates of rules.yaml: how a message is headed and what it says first. Knows no layout; each kind of receiver escapes by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, PlainValidator, model_validator

from routing.alert import Alert
from routing.placeholders import PlaceholderText, parse
from routing.query import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageTemplate:
    """What takes the place of a message's own headline, and what stands below it. Two are equal if they are written the same."""

    title: PlaceholderText | None = None
    """None: the headline stays."""
    text: PlaceholderText | None = None
    """May have lines. None: nothing is said first."""

    def title_of(self, alert: Alert) -> str:
        """The headline for an alert; empty where the message's own stays. What the alert says in it is hostile."""
        return self.title.say(Facts(alert)).strip() if self.title else ""

    def text_of(self, alert: Alert) -> str:
        """The leading text for an alert, empty where there is none; as hostile."""
        return self.text.say(Facts(alert)).strip() if self.text else ""


def read_places(value: object) -> PlaceholderText:
    """A text with places, for pydantic.

    Raises:
        ValueError: with what to write; PlaceholderError where it knows the character.
    """
    if not isinstance(value, str) or not value.strip():
        raise ValueError("write one text, in quotes: '[{project}] {title}'")
    return parse(value)


PlaceholderTextField = Annotated[PlaceholderText, PlainValidator(read_places)]
"""How a form takes a text with places."""


class TemplateForm(BaseModel):
    """An entry of `templates`."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True)
    title: PlaceholderTextField | None = None
    text: PlaceholderTextField | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.title and not self.text:
            raise ValueError("write a title, a text, or both: {title: '[{project}] {title}'}")
        return self

    @property
    def template(self) -> MessageTemplate:
        """What is applied to alerts."""
        return MessageTemplate(title=self.title, text=self.text)
