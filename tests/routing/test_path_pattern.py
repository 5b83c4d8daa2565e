"""What an endpoint is called whatever stands in its places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.path_pattern import MAX_SEGMENTS, path_pattern


@pytest.mark.parametrize(
    "segment",
    [
        *("42", "-7", "1.5", "2026-03-04", "1,2,3"),
        *("7d0a3f52-1c7e-4b39-9a55-2f1f0c7e9b11", "7D0A3F52-1C7E-4B39-9A55-2F1F0C7E9B11", "3f1b6c0a", "3f1b6c0a9d5e4c72b8a1e0f4d2c6b890"),
        *("01ARZ3NDEKTSV4RRFFQ69G5FAV", "cus_9s6XKzkNRiz8i3", "user_42", "order-5521", "V1StGXR8_Z5jdHi6B-myT"),
        *("{id}", "{pk}", "<int:pk>", ":id", "[id]", "[...slug]", "*"),
        *("zoe@shop.example", "Zo%C3%AB", "zoë", "a b", "x" * 81),
    ],
)
def test_what_names_one_thing_of_many_is_an_id(segment: str) -> None:
    assert path_pattern(f"/api/users/{segment}/orders") == "/api/users/{id}/orders"


@pytest.mark.parametrize(
    "segment", ["users", "v1", "v1.2", "oauth2", "user-settings", "deadbeef", "a_b", "index.html", "~zoe", "internationalization", "s3"]
)
def test_what_a_route_is_spelled_with_stays(segment: str) -> None:
    assert path_pattern(f"/api/{segment}") == f"/api/{segment}"


@pytest.mark.parametrize(
    ("url", "pattern"),
    [
        ("https://shop.example/api/users/42", "/api/users/{id}"),
        ("https://shop.example:8443/api/users/42/?tab=a/b#c", "/api/users/{id}"),
        ("https://shop.example", "/"),
        ("https://shop.example?next=/42", "/"),
        ("/", "/"),
        ("//api//users/", "/api/users"),
        ("/users/42.json", "/users/{id}.json"),
        ("/static/app.3f1b6c0a.js", "/static/app.{id}.js"),
        ("/../etc/passwd", "/../etc/passwd"),
        ("/a" * 30, "/a" * MAX_SEGMENTS),
    ],
)
def test_only_the_path_of_an_address_counts(url: str, pattern: str) -> None:
    assert path_pattern(url) == pattern


@pytest.mark.parametrize("text", ["", "shop.views.detail", "api/users/42", "?next=/api", "#/api", "not an address: /api", "mailto:a@b.c"])
def test_what_is_no_path_has_no_pattern(text: str) -> None:
    assert path_pattern(text) is None


@given(st.text() | st.text(alphabet="/:.?#{}ab1-_%").map("/".__add__))
def test_a_pattern_is_short_and_plain_whatever_the_text(text: str) -> None:
    pattern = path_pattern(text)

    assert pattern is None or (pattern.isascii() and pattern.isprintable() and len(pattern) <= 2001)
