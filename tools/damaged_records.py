"""Makes testkit/damaged/records: one fault in each file, from docs/format.md and a general cryptography package.

    pip install cryptography
    python tools/damaged_records.py

The files are kept in the repository; this shows how each came to be.
"""

import hashlib
import json
import pathlib
import sys
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "examples" / "python"))

from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV  # noqa: E402
from open_vector import KEYSET, VALUE, WRAPPED_KEY, context, expand, extract  # noqa: E402

vector = json.loads((ROOT / "secretkit-core" / "testkit" / "record-v1.json").read_text())
head = vector["head"]
store = bytes.fromhex(vector["store_id"])
key, key_id = bytes.fromhex(vector["data_key"]), bytes.fromhex(vector["key_id"])
salt, nonce = bytes.fromhex(vector["salt"]), bytes.fromhex(vector["nonce"])
value = vector["value"].encode()
genuine = bytes.fromhex(vector["record"])
ADDRESS = {part: head[part] for part in ("org", "project", "domain", "group", "key")}
SECRET = uuid.UUID(head["id"]).bytes


def ctx(purpose=VALUE, store_id=store, number=head["revision"], secret=SECRET, **address):
    return context(store_id, purpose, number=number, secret=secret, **(ADDRESS | address))


def seal(plain=value, bound=None, under=key, prefix=None, associated=None, labels=(b"enc", b"com"), iv=nonce, with_salt=salt):
    """A record as the document makes it, but for what is named."""
    bound = ctx() if bound is None else bound
    prefix = prefix or b"SKR1" + bytes([1, 1, VALUE, 0]) + key_id
    info = prefix + iv + hashlib.sha256(bound).digest()
    prk = extract(with_salt, under)
    encryption, commitment = (expand(prk, b"secretkit/v1 " + label + b"\0" + info) for label in labels)
    whole = prefix + with_salt + iv + commitment
    return whole + AESGCMSIV(encryption).encrypt(iv, plain, whole + bound if associated is None else associated(whole, bound))


def with_bytes(at, replacement):
    return genuine[:at] + replacement + genuine[at + len(replacement) :]


def flipped(at, bit=1):
    return with_bytes(at, bytes([genuine[at] ^ bit]))


def header(version=1, suite=1, purpose=VALUE, flags=0, identity=key_id):
    return b"SKR1" + bytes([version, suite, purpose, flags]) + identity


assert seal() == genuine

faults = [("the record is empty", b"", "form", "R1")]
for length in (1, 4, 7, 23, 55, 67, 99, 100, 115):
    faults.append((f"the record ends after {length} bytes", genuine[:length], "form", "R1"))
faults += [
    ("the magic is of the next kind", with_bytes(0, b"SKR2"), "form", "R2"),
    ("the magic is in lower case", with_bytes(0, b"skr1"), "form", "R2"),
    ("the record begins one byte late", b"\0" + genuine, "form", "R2"),
    ("the version is 0", with_bytes(4, b"\0"), "header", "R3"),
    ("the version is 2", with_bytes(4, b"\2"), "version", "R3"),
    ("the version is 255", with_bytes(4, b"\xff"), "version", "R3"),
    ("the version is 2 and everything else fits it", seal(prefix=header(version=2)), "version", "R3"),
    ("the suite is 0", with_bytes(5, b"\0"), "header", "R4"),
    ("the suite is 2", with_bytes(5, b"\2"), "header", "R4"),
    ("the suite is 2 and everything else fits it", seal(prefix=header(suite=2)), "header", "R4"),
    ("the purpose is 0", with_bytes(6, b"\0"), "header", "R5"),
    ("the purpose is a wrapped key's", with_bytes(6, bytes([WRAPPED_KEY])), "header", "R5"),
    ("the purpose is a keyset's", with_bytes(6, bytes([KEYSET])), "header", "R5"),
    ("the purpose is a keyset's and everything else fits it", seal(bound=ctx(KEYSET), prefix=header(purpose=KEYSET)), "header", "R5"),
    ("a flag is set", with_bytes(7, b"\1"), "header", "R6"),
    ("every flag is set and everything else fits it", seal(prefix=header(flags=255)), "header", "R6"),
    ("the key is unknown", with_bytes(8, bytes(16)), "key", "R7"),
    ("one bit of the key's id is flipped", flipped(23), "key", "R7"),
    ("the key is unknown and everything else fits it", seal(prefix=header(identity=bytes(16))), "key", "R7"),
]
for at in (24, 40, 55):
    faults.append((f"one bit of byte {at} of the salt is flipped", flipped(at), "commitment", "R8"))
for at in (56, 62, 67):
    faults.append((f"one bit of byte {at} of the nonce is flipped", flipped(at, 128), "commitment", "R8"))
for at in (68, 83, 99):
    faults.append((f"one bit of byte {at} of the commitment is flipped", flipped(at), "commitment", "R8"))
faults += [
    ("the commitment is zero", with_bytes(68, bytes(32)), "commitment", "R8"),
    ("the commitment is the encryption key's", seal(labels=(b"enc", b"enc")), "commitment", "R8"),
    ("the two labels changed places", seal(labels=(b"com", b"enc")), "commitment", "R8"),
    ("it is sealed under another key", seal(under=bytes(32)), "commitment", "R8"),
    ("it is sealed for another store", seal(bound=ctx(store_id=bytes(16))), "commitment", "R9"),
    ("it is sealed for another purpose", seal(bound=ctx(KEYSET)), "commitment", "R9"),
    ("it is sealed for another org", seal(bound=ctx(org="acmf")), "commitment", "R9"),
    ("it is sealed for another project", seal(bound=ctx(project="etk")), "commitment", "R9"),
    ("it is sealed for no project", seal(bound=ctx(project=None)), "commitment", "R9"),
    ("it is sealed for an empty domain", seal(bound=ctx(domain="")), "commitment", "R9"),
    ("it is sealed for a domain", seal(bound=ctx(domain="production")), "commitment", "R9"),
    ("it is sealed for project and domain exchanged", seal(bound=ctx(project=None, domain="etl")), "commitment", "R9"),
    ("it is sealed for no group", seal(bound=ctx(group=None)), "commitment", "R9"),
    ("it is sealed for another group", seal(bound=ctx(group="DB")), "commitment", "R9"),
    ("it is sealed for another name", seal(bound=ctx(key="Password")), "commitment", "R9"),
    ("it is sealed for group and name exchanged", seal(bound=ctx(group="password", key="db")), "commitment", "R9"),
    ("it is sealed for group and name joined", seal(bound=ctx(group=None, key="db/password")), "commitment", "R9"),
    ("it is sealed for another secret of that name", seal(bound=ctx(secret=bytes(16))), "commitment", "R9"),
    ("it is sealed for the revision before", seal(bound=ctx(number=head["revision"] - 1)), "commitment", "R9"),
    ("it is sealed for the revision after", seal(bound=ctx(number=head["revision"] + 1)), "commitment", "R9"),
    ("it is sealed for nothing", seal(bound=b""), "commitment", "R9"),
    ("its context ends in a byte more", seal(bound=ctx() + b"\0"), "commitment", "R9"),
]
for at in (100, 110, len(genuine) - 17):
    faults.append((f"one bit of byte {at} of the ciphertext is flipped", flipped(at), "tag", "R10"))
for at in (len(genuine) - 16, len(genuine) - 8, len(genuine) - 1):
    faults.append((f"one bit of byte {at} of the tag is flipped", flipped(at, 64), "tag", "R10"))
faults += [
    ("the tag is zero", genuine[:-16] + bytes(16), "tag", "R10"),
    ("the ciphertext is one byte short", genuine[:-17] + genuine[-16:], "tag", "R10"),
    ("the record ends one byte early", genuine[:-1], "tag", "R10"),
    ("a byte follows the record", genuine + b"\0", "tag", "R10"),
    ("the record stands twice", genuine + genuine, "tag", "R10"),
    ("nothing is left of the ciphertext", genuine[:100] + genuine[-16:], "tag", "R10"),
    ("nothing is associated", seal(associated=lambda whole, bound: b""), "tag", "R11"),
    ("the context is not associated", seal(associated=lambda whole, bound: whole), "tag", "R11"),
    ("the record's own bytes are not associated", seal(associated=lambda whole, bound: bound), "tag", "R11"),
    ("another context is associated", seal(associated=lambda whole, bound: whole + ctx(key="other")), "tag", "R11"),
    ("the context is associated before the record", seal(associated=lambda whole, bound: bound + whole), "tag", "R11"),
    ("only the first bytes are associated", seal(associated=lambda whole, bound: whole[:24] + bound), "tag", "R11"),
]

if __name__ == "__main__":
    folder = ROOT / "testkit" / "damaged" / "records"
    folder.mkdir(parents=True, exist_ok=True)
    for number, (fault, record, layer, rule) in enumerate(faults, 1):
        slug = "".join(letter if letter.isalnum() else "-" for letter in fault.replace("'s", "s"))
        text = f"fault: {fault}\nexpect: {layer}\nmust: {rule}\n\n{record.hex()}\n"
        (folder / f"{number:03}-{slug}.txt").write_text(text)
    print(f"{len(faults)} damaged records")
