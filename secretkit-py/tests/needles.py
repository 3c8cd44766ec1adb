"""A search for values in whatever must not hold them: the one of `secretkit_core::conformance` in Python's words.

`secretkit-core/testkit/needles.json` holds what both must look for.
"""

import base64
import json
from collections.abc import Iterable

# What is shorter than this is found everywhere by chance.
LEAST_BYTES = 7

_NAMED = {"\t": "\\t", "\n": "\\n", "\r": "\\r", '"': '\\"', "'": "\\'", "\\": "\\\\"}


def forms(value: bytes) -> set[bytes]:
    """The value in every form in which a leak has been seen."""
    found = {value, value[::-1], value.hex().encode(), value.hex().upper().encode()}
    text = _text(value)
    wide = value.decode("latin-1") if text is None else text
    found |= {wide.encode("utf-16-le"), wide.encode("utf-16-be")}
    plain = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
    for digits in ("02X", "02x"):
        found.add("".join(chr(byte) if byte in plain else f"%{byte:{digits}}" for byte in value).encode())
    if text is not None:
        found |= {json.dumps(text)[1:-1].encode(), _as_rust_prints_text(text)}
    found.add("".join(_NAMED.get(chr(byte)) or _ascii(byte) for byte in value).encode())
    found.add(", ".join(str(byte) for byte in value[:8]).encode())
    if len(value) >= 16:
        found.add(value[: len(value) // 2])
    # At each of the three places in a longer text that is in base64; its ends depend on the neighbours.
    for skipped in range(3):
        whole = value[skipped : len(value) - (len(value) - skipped) % 3]
        found |= {base64.b64encode(whole), base64.urlsafe_b64encode(whole)}
    return {form for form in found if len(form) >= LEAST_BYTES}


def found_in(haystack: str | bytes, values: Iterable[bytes]) -> bytes | None:
    """The form of one of the values that is in there."""
    hay = haystack.encode("utf-8", "surrogateescape") if isinstance(haystack, str) else haystack
    searched = (form for value in values if len(value) >= LEAST_BYTES for form in _cached(value))
    return next((form for form in searched if form in hay), None)


_known: dict[bytes, set[bytes]] = {}


def _cached(value: bytes) -> set[bytes]:
    if value not in _known:
        _known[value] = forms(value)
    return _known[value]


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _ascii(byte: int) -> str:
    return chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}"


def _as_rust_prints_text(text: str) -> bytes:
    def shown(character: str) -> str:
        if character == "\0":
            return "\\0"
        return _NAMED.get(character) or (character if character.isprintable() else f"\\u{{{ord(character):x}}}")

    return "".join(map(shown, text)).encode()
