"""TOML from strangers: read, or refused with the name of the file."""

from __future__ import annotations

import pytest

from consent import toml
from consent.errors import InputError


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert toml.parse(b"\xef\xbb\xbfa = 1\n", "it") == {"a": 1}


@pytest.mark.parametrize(
    "data",
    [
        b"a = ",
        b"a = 1\na = 2\n",
        b"\xff\xfea\x00",
        b"a = " + b"[" * 50_000,
        b"a = " + b"{b = " * 50_000,
        b"a = " + b"9" * 10_000,
        b"a = 1e999999999999\nb = ",
        b"a = 9999-99-99",
    ],
    ids=lambda data: data[:12].decode("latin-1"),
)
def test_what_is_no_toml_is_an_error_that_names_it(data: bytes) -> None:
    with pytest.raises(InputError, match=r"^cast x\.toml: not valid TOML"):
        toml.parse(data, "cast x.toml")
