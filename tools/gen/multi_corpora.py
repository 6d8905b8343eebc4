#!/usr/bin/env python3
"""Seed the corpora of the format fuzz targets from the recorded vectors.

Writes tests/corpora/{fmt,multi}/<module>/<target>/seed-*; what a fuzzer found lives beside them under
other names and is left alone. Run from the repository root.
"""
import glob
import hashlib
import json
import os

SRC, DST = "tests/vectors", "tests/corpora"
BASES = "fFbBcCvVtTkKzZmMuU"  # in the order of enum ocf_basex


def rows(name):
    with open(f"{SRC}/{name}.json", encoding="utf-8") as f:
        return json.load(f)["vectors"]


def hexes(name):
    return [bytes.fromhex(v["hex"]) for v in rows(name) if v.get("hex")]


def texts(name):
    return [v["expected"]["text"].encode() for v in rows(name) if v["expected"].get("text")]


def spread(items, n):
    """At most n of them, evenly, none twice, none large."""
    items = sorted({i for i in items if 0 < len(i) <= 600}, key=lambda i: (len(i), i))
    step = max(1, -(-len(items) // n))
    return items[::step]


def varint(v):
    out = b""
    while v >= 0x80:
        out += bytes([v & 0x7F | 0x80])
        v >>= 7
    return out + bytes([v])


def messages():
    """Protobufs as Go wrote them: keys, envelopes, identify; and one of every wire type."""
    key = bytes.fromhex("080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e")
    out = [key, b"\x08\x00\x12\x02ab", b"\x08\x96\x01\x19" + bytes(8) + b"\x25" + bytes(4) + b"\x2a\0",
           b"\x0b\x08\x01\x0c", b"\x88\x00\x81\x00", b"\xf8\xff\xff\xff\x0f\x01",
           b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x12\x05ab", b"\x0e\x00", b"\x00\x00",
           b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x19\x01", b"\x25\x01", b"\x80", b"\x12"]
    for path in ("envelope", "identify", "keys"):
        if os.path.exists(f"{SRC}/{path}.json"):
            out += spread(hexes(path), 8)
    return out


def multibase():
    out = []
    for v in rows("cid-multihash-multibase"):
        if v["name"].startswith("multibase of"):
            out += [t.encode() for t in v["expected"].values()]
        elif v["name"].startswith("multibase text"):
            out.append(v["expected"]["text"].encode())
    return out


def basex():
    out = []
    for t in multibase():
        if t and chr(t[0]) in BASES:
            out.append(bytes([BASES.index(chr(t[0]))]) + t[1:])
    for i in range(len(BASES)):
        out.append(bytes([i]) + b"\0\0\xff\x80\x01hello")
    out += [bytes([12]) + b"1" * 40, bytes([10]) + b"z" * 60]
    return out


def json_scripts():
    """What json_fuzz.c reads: room, then calls; strings are a length and bytes."""
    return [b"\xff\x0a\x02id\x06\x04abcd\x0d", b"\xff\x09\x00\x01\x00\x02\x01\x00\x03\x0d",
            b"\xff\x06" + bytes([0, 0, 8]) + b"\x00\x08\x0b\x1f\"\\\x7f\x80",
            b"\xff\x08\x00\x00\x0c\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xed\xa0\x80",
            b"\xff\x08\x00\x00\x0f\xf0\x9f\x98\xe0\x9f\xbf\xf4\x90\x80\x80\xc0\xaf\xf5\x80\xc2",
            b"\xff" + b"\x09" * 40 + b"\x04\x00\x00", b"\xff" + b"\x0a\x01k" * 34,
            b"\x00" + b"\x09" + b"\x05\x01\x01" * 60, b"\xff\x04\x00\x00", b"\xff\x05\x00\x00",
            b"\xff\x01\xff\x38", b"\xff\x00\xff\x38", b"\xff\x02\x01\x00", b"\xff\x03\x00\x00",
            b"\xff\x0a\x03a\"b\x0c\x01x\x03\x00\x00\x0d\x02yy\x09\x0d\x0d"]


def write(target, items, n=64):
    folder = f"{DST}/{target}"
    os.makedirs(folder, exist_ok=True)
    for old in glob.glob(f"{folder}/seed-*"):
        os.remove(old)
    for item in spread(items, n):
        with open(f"{folder}/seed-{hashlib.sha256(item).hexdigest()[:12]}", "wb") as f:
            f.write(item)


def main():
    cid = hexes("cid-multihash-multibase")
    ids = hexes("peer-ids")
    addrs = rows("multiaddr")
    write("fmt/varint/varint_fuzz", hexes("varint"))
    write("fmt/pb/pb_fuzz", messages())
    write("fmt/basex/basex_fuzz", basex(), 90)
    write("fmt/json/json_fuzz", json_scripts())
    write("multi/multibase/multibase_fuzz", multibase())
    write("multi/multihash/multihash_fuzz", [c + b"tail" for c in cid[::3]] + ids)
    write("multi/cid/cid_fuzz", cid[::2] + texts("cid-multihash-multibase"))
    write("multi/peerid/peerid_fuzz", ids + texts("peer-ids") +
          [bytes.fromhex("080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e")])
    valid = [v for v in addrs if v["expected"]["valid"]]
    write("multi/maddr/maddr_fuzz",
          [v["expected"]["text"].encode() for v in addrs if v["direction"] == "text->binary"] +
          [bytes.fromhex(v["hex"]) for v in valid[::2] if v.get("hex")] +
          [b"1.2.3.4:80", b"[::1]:65535", b"[2001:db8::ffff:1.2.3.4]:1", b"[1:2:3:4:5:6:7:8]:0", b"/https",
           b"/ip4/8.8.8.8/udp/1", b"/ip6/2a00::1/tcp/1", b"/dns/localhost/tcp/1", b"/dns/a.local/tcp/1"],
          99)


if __name__ == "__main__":
    main()
