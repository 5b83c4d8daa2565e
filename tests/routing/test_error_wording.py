"""What the messages of libraries, databases and engines name, in their own words."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from routing.error_wording import MAX_NAME, constraint_in, constraint_name_in, field_in, property_in, variable_in


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("{'address': {'street': ['Required.']}}", "address"),
        ('{"email": ["Not a valid email address."]}', "email"),
        ("[{'email': ['Enter a valid email address.']}]", "email"),
        ("1 validation error for Order\nitems.0.price\n  Field required [type=missing]", "items.price"),
        ("1 validation error for Order\naddress -> street\n  field required", "address.street"),
        ("1 validation error for Order\n  Value error, nothing to pay [type=value_error]", None),
        ("[{'type': 'missing', 'loc': ('query', 'page'), 'msg': 'Field required'}]", "page"),
        ("[{'type': 'missing', 'loc': ('body',), 'msg': 'Field required'}]", "body"),
        ("'email' is a required property", "email"),
        ("The email field must be a valid email address.", "email"),
        ("The first name field is required.", "first_name"),
        ("Order validation failed: items.0.price: Cast to Number failed", "items.0.price"),
        ("this must be a valid object", None),
        ("{'__all__': ['No.']}", None),
        ("{'a whole sentence': 1}", None),
        ("Enter a valid value.", None),
        ("", None),
    ],
)
def test_a_validation_error_names_its_field(message: str, field: str | None) -> None:
    assert field_in(message) == field


@pytest.mark.parametrize(
    ("message", "kind", "name"),
    [
        ('duplicate key value violates unique constraint "users_email_key"', "unique", "users_email_key"),
        ("(1062, \"Duplicate entry 'a@b.c' for key 'users.email'\")", "unique", "users.email"),
        ("UNIQUE constraint failed: users.team, users.email", "unique", "users.team+users.email"),
        ("columns team, email are not unique", "unique", None),
        ("ORA-00001: unique constraint (SHOP.USERS_EMAIL) violated", "unique", "SHOP.USERS_EMAIL"),
        ("Violation of UNIQUE KEY constraint 'UQ_users'. Cannot insert duplicate key in object 'dbo.users'.", "unique", "UQ_users"),
        ("Violation of PRIMARY KEY constraint 'PK_users'. Cannot insert duplicate key", "primary_key", "PK_users"),
        ("Unique constraint failed on the fields: (`email`)", "unique", None),
        ('update or delete on table "users" violates foreign key constraint "o_fk" on table "orders"', "foreign_key", "o_fk"),
        ("a foreign key constraint fails (`s`.`o`, CONSTRAINT `o_fk` FOREIGN KEY (`u`) REFERENCES `u` (`id`))", "foreign_key", "o_fk"),
        ('The INSERT statement conflicted with the FOREIGN KEY constraint "FK_o".', "foreign_key", "FK_o"),
        ("ORA-02291: integrity constraint (SHOP.O_FK) violated - parent key not found", "foreign_key", "SHOP.O_FK"),
        ('null value in column "email" of relation "users" violates not-null constraint', "not_null", None),
        ("(1048, \"Column 'email' cannot be null\")", "not_null", None),
        ('new row for relation "orders" violates check constraint "positive"', "check", "positive"),
        ("Check constraint 'positive' is violated.", "check", "positive"),
        ('conflicting key value violates exclusion constraint "no_overlap"', "exclusion", "no_overlap"),
        ("database is locked", None, None),
    ],
)
def test_a_database_names_the_constraint_that_was_violated(message: str, kind: str | None, name: str | None) -> None:
    assert constraint_in(message) == (kind and f"{kind}_constraint")
    assert constraint_name_in(message) == name


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("Cannot read properties of null (reading 'email')", "email"),
        ("Cannot set properties of undefined (setting 'innerHTML')", "innerHTML"),
        ("Cannot read property 'email' of undefined", "email"),
        ("Cannot destructure property 'email' of 'user' as it is undefined.", "email"),
        ("Cannot assign to read only property 'email' of object '#<Object>'", "email"),
        ("Cannot add property email, object is not extensible", "email"),
        ("Cannot read properties of undefined (reading '0')", None),
        ("items.map is not a function", "map"),
        ("(intermediate value).map is not a function", "map"),
        ("(0 , _api.load) is not a function", "load"),
        ("load is not a function", None),
        ("user.tags is not iterable", "tags"),
        ('can\'t access property "email", user is undefined', "email"),
        ("user.profile is undefined", "profile"),
        ("user is null", None),
        ("null is not an object (evaluating 'this.state.user.email')", "email"),
        ("undefined is not an object (evaluating 'user['email']')", "email"),
        ("undefined is not an object (evaluating 'user.email = value')", "email"),
        ("undefined is not an object (evaluating 'user')", None),
        ("items.map is not a function. (In 'items.map(render)', 'items.map' is undefined)", "map"),
        ("Unable to get property 'email' of undefined or null reference", "email"),
        ("Object doesn't support property or method 'closest'", "closest"),
        ("'NoneType' object has no attribute 'email'", "email"),
        ('Attempt to read property "email" on null', "email"),
        ("'NoneType' object is not subscriptable", None),
        ("what the page at shop.example says is undefined", None),
        ("Failed to fetch", None),
    ],
)
def test_an_engine_names_the_property_that_was_asked_for(message: str, name: str | None) -> None:
    assert property_in(message) == name


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("userContext is not defined", "userContext"),
        ("$ is not defined", "$"),
        ("Can't find variable: userContext", "userContext"),
        ("Property 'userContext' doesn't exist", "userContext"),
        ("'userContext' is undefined", "userContext"),
        ("Cannot access 'userContext' before initialization", "userContext"),
        ("can't access lexical declaration 'userContext' before initialization", "userContext"),
        ("assignment to undeclared variable userContext", "userContext"),
        ("name 'user_context' is not defined. Did you mean: 'UserContext'?", "user_context"),
        ("cannot access local variable 'user' where it is not associated with a value", "user"),
        ("Invalid left-hand side in assignment", None),
        ("what you look for is not defined", None),
    ],
)
def test_an_engine_names_the_variable_that_is_missing(message: str, name: str | None) -> None:
    assert variable_in(message) == name


PHRASES = st.sampled_from(
    [
        *("(reading '", "')", "property '", "(evaluating '", " is not a function", " is undefined", "Can't find variable: ", "(0 , "),
        *(" is not defined", "{'", "':", "1 validation error for A\n", "'loc': (", '"path": [', "]", "On instance['", "unique constraint"),
        *("constraint failed: ", "for key '", "The ", " field ", '"a" must', "a", ".", "\n", " ", "é", "0", "'"),
    ]
)


@example("for key ' is not a function\n(reading '", 1)
@given(st.lists(PHRASES | st.text(max_size=5), max_size=20).map("".join), st.integers(min_value=1, max_value=200))
@pytest.mark.parametrize("read", [field_in, constraint_in, constraint_name_in, property_in, variable_in])
def test_whatever_a_message_holds_its_name_is_one_short_word_of_it(read: Callable[[str], str | None], message: str, times: int) -> None:
    name = read(message * times)

    assert name is None or (0 < len(name) <= MAX_NAME and "\n" not in name)
