"""Opens a secretkit record with nothing but a general cryptography package.

It follows docs/format.md and shares no line with secretkit, so that the format is more than what one program does.

    pip install cryptography
    python open_vector.py ../../secretkit-core/testkit/record-v1.json
"""

import hashlib
import hmac
import json
import struct
import sys
import uuid

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

VALUE, WRAPPED_KEY, KEYSET = 1, 2, 3
DATA, META, DIGEST, AUDIT = 1, 2, 3, 4


def canonical(label, fields):
    """format.md section 2: label, count, then tag, present, length and bytes of each field."""
    out = label + b"\0" + struct.pack(">H", len(fields))
    for tag, value in fields:
        out += bytes([tag, value is not None]) + struct.pack(">I", len(value or b"")) + (value or b"")
    return out


def text(part):
    return None if part is None else part.encode()


def integer(number):
    return struct.pack(">Q", number)


def context(store, purpose, org, number, project=None, domain=None, group=None, key=None, secret=None):
    """format.md section 3: what a record is bound to."""
    fields = [store, bytes([purpose]), text(org), text(project), text(domain), text(group), text(key), secret]
    return canonical(b"secretkit/ctx/1", list(enumerate(fields, 1)) + [(9, integer(number))])


def extract(salt, key):
    return hmac.new(salt or bytes(32), key, hashlib.sha256).digest()


def expand(prk, info):
    return HKDFExpand(hashes.SHA256(), 32, info).derive(prk)


def open_record(record, key, key_id, ctx):
    """format.md section 4: header, commitment, tag, in this order."""
    purpose = ctx[ctx.index(b"\x02\x01\x00\x00\x00\x01") + 6]
    assert record[:8] == b"SKR1" + bytes([1, 1, purpose, 0]), "not a version 1 record of this purpose"
    assert record[8:24] == key_id, "another key"
    salt, nonce, commitment, body = record[24:56], record[56:68], record[68:100], record[100:]
    prk = extract(salt, key)
    info = record[:24] + nonce + hashlib.sha256(ctx).digest()
    assert hmac.compare_digest(commitment, expand(prk, b"secretkit/v1 com\0" + info)), "does not open"
    return AESGCMSIV(expand(prk, b"secretkit/v1 enc\0" + info)).decrypt(nonce, body, record[:100] + ctx)


def derived_id(key, label):
    return hmac.new(key, canonical(label, []), hashlib.sha256).digest()[:16]


def open_keyring(root_key, store, row):
    """format.md section 5: the root key opens the wrapping key, and that the keyset."""
    root_id = derived_id(root_key, b"secretkit/v1 root key id")
    assert row["kek_id"] == root_id.hex(), "another root key"
    org, version = row["org"], row["version"]
    wrapping = open_record(
        bytes.fromhex(row["wrapped_key"]), root_key, root_id, context(store, WRAPPED_KEY, org, version)
    )
    wrapping_id = derived_id(wrapping, b"secretkit/v1 wrapping key id")
    keyset = open_record(bytes.fromhex(row["keyset"]), wrapping, wrapping_id, context(store, KEYSET, org, version))
    layout, _min_format, count = struct.unpack(">BBH", keyset[:4])
    assert layout == 1 and len(keyset) == 4 + 59 * count
    entries = (struct.unpack(">BB16sqB32s", keyset[at : at + 59]) for at in range(4, len(keyset), 59))
    return {(use, key_id): key for use, _state, key_id, _created, present, key in entries if present}


def digest(keys, key_id, store, org, project, domain, group, key, value):
    """format.md section 6: a fingerprint under a key of the address's own."""
    fields = enumerate([store, text(org), text(project), text(domain), text(group), text(key)], 1)
    address = canonical(b"secretkit/address/1", list(fields))
    prk = extract(b"", keys[DIGEST, key_id])
    subkey = expand(prk, b"secretkit/v1 digest\0" + hashlib.sha256(address).digest())
    return hmac.new(subkey, value, hashlib.sha256).digest()


def head_mac(keys, key_id, store, head, digest_bytes, commitment):
    """format.md section 7: everything about a secret but its value."""

    def optional(number):
        return None if number is None else struct.pack(">q", number)

    tags = b"".join(struct.pack(">I", len(tag.encode())) + tag.encode() for tag in head["tags"])
    parts = [head["org"], head["project"], head["domain"], head["group"], head["key"]]
    fields = [store, uuid.UUID(head["id"]).bytes, *map(text, parts)]
    fields += [integer(head[name]) for name in ("generation", "revision", "first_revision")]
    fields += [optional(head["keep"]), optional(head["inactive_since"]), optional(head["expires_at"])]
    fields += [text(head["description"]), tags]
    for stamp in ("created", "updated", "value"):
        fields += [optional(head[stamp + "_at"]), text(head[stamp + "_by"])]
    fields += [digest_bytes, commitment]
    return mac(keys, key_id, b"secretkit/head/1", fields)


def usage_mac(keys, key_id, store, head, used):
    """format.md section 9: the last use of a secret."""
    stamp = [struct.pack(">q", used["at"]), text(used["by"])]
    return mac(keys, key_id, b"secretkit/usage/1", [store, uuid.UUID(head["id"]).bytes, text(head["org"]), *stamp])


def consumer_mac(keys, key_id, store, head, consumer):
    """format.md section 9: a consumer of a secret."""
    stamp = [struct.pack(">q", consumer["at"]), text(consumer["by"])]
    fields = [store, uuid.UUID(head["id"]).bytes, text(head["org"]), text(consumer["name"]), *stamp]
    return mac(keys, key_id, b"secretkit/consumer/1", fields)


def mac(keys, key_id, label, fields):
    return hmac.new(keys[META, key_id], canonical(label, list(enumerate(fields, 1))), hashlib.sha256).digest()


def main(path):
    with open(path) as file:
        vector = json.load(file)
    store = bytes.fromhex(vector["store_id"])
    keys = open_keyring(bytes.fromhex(vector["root_key"]), store, vector["keyring"])

    head, record = vector["head"], bytes.fromhex(vector["record"])
    address = {part: head[part] for part in ("org", "project", "domain", "group", "key")}
    ctx = context(store, VALUE, number=head["revision"], secret=uuid.UUID(head["id"]).bytes, **address)
    assert ctx.hex() == vector["context"]
    key_id = record[8:24]
    value = open_record(record, keys[DATA, key_id], key_id, ctx)
    assert value.decode() == vector["value"]

    stored_digest = bytes.fromhex(vector["digest"])
    assert stored_digest[0] == 1
    assert stored_digest[17:] == digest(keys, stored_digest[1:17], store, **address, value=value)

    stored_mac = bytes.fromhex(vector["head_mac"])
    assert stored_mac[0] == 1
    assert stored_mac[17:] == head_mac(keys, stored_mac[1:17], store, head, stored_digest, record[68:100])
    for row, expected in ((vector["usage"], usage_mac), (vector["consumer"], consumer_mac)):
        stored = bytes.fromhex(row["mac"])
        assert stored[0] == 1 and stored[17:] == expected(keys, stored[1:17], store, head, row)
    print(f"opened revision {head['revision']} of {head['group']}/{head['key']}: {len(value)} bytes, head and digest hold")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python open_vector.py VECTOR.json")
    main(sys.argv[1])
