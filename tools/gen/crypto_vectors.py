#!/usr/bin/env python3
"""Turn the recorded vectors of keys, envelopes and Noise into C initialisers.

Reads tests/vectors/{keys,envelope,noise}.json and writes tests/vectors/gen/*.inc, and the seeds of
the fuzz targets that are made of them. Run from the repository root; --check only says whether the
.inc files are current. B(literal, length) is a struct ocf_bytes that the including test defines.
"""
import json
import os
import sys

SRC, DST = "tests/vectors", "tests/vectors/gen"
TYPES = {0: "OCF_KEY_RSA", 1: "OCF_KEY_ED25519", 2: "OCF_KEY_SECP256K1", 3: "OCF_KEY_ECDSA"}


def lit(data):
    """A C string literal; octal escapes of three digits cannot swallow the character after them."""
    out = ""
    for c in data:
        out += chr(c) if 32 <= c < 127 and chr(c) not in '"\\?' else f"\\{c:03o}"
    return f'"{out}"'


def b(data):
    data = data.encode() if isinstance(data, str) else data
    return f"B({lit(data)}, {len(data)})"


def h(text):
    return b(bytes.fromhex(text or ""))


def flag(x):
    return "true" if x else "false"


def vectors(name):
    with open(f"{SRC}/{name}.json", encoding="utf-8") as f:
        return json.load(f)["vectors"]


def key_files():
    """name -> hex of the private key"""
    return {v["expected"]["key_file"].split("/")[1][:-4]: v["hex"]
            for v in vectors("keys") if "key_file" in v["expected"]}


def keys():
    whole, public, private = [], [], []
    for v in vectors("keys"):
        e = v["expected"]
        name = lit(v["name"].encode())
        if "key_file" in e:
            stem = e["key_file"].split("/")[1]
            whole.append(f'{{ {lit(stem.encode())}, {TYPES[e["type"]]}, {h(v["hex"])}, '
                         f'{h(e["public_key_pb"])}, {h(e["public_key_data"])}, {h(e["sign_message"])}, '
                         f'{h(e["signature"])}, {flag(e["signature_deterministic"])} }},')
        elif v["name"].startswith("PublicKey"):
            public.append(f'{{ {name}, {h(v.get("hex"))}, {flag(e["valid"])}, '
                          f'{h(e.get("reencoded"))} }},')
        else:
            private.append(f'{{ {name}, {h(v["hex"])}, {flag(e["valid"])} }},')
    return {"keys": whole, "key_publics": public, "key_privates": private}


def signer_of(name, keyhex):
    for stem in keyhex:
        if f" {stem}" in name:
            return keyhex[stem]
    raise KeyError(name)


def envelope():
    keyhex = key_files()
    out = []
    for v in vectors("envelope"):
        e = v["expected"]
        domain = e.get("domain", "libp2p-peer-record")
        typ = e.get("payload_type", "0301")
        det = any(k in v["name"] for k in ("rsa2048", "ed25519"))
        out.append(f'{{ {lit(v["name"].encode())}, {h(v["hex"])}, {h(signer_of(v["name"], keyhex))}, '
                   f'{b(domain)}, {h(typ)}, {h(e.get("payload"))}, {flag(e["valid"])}, {flag(det)} }},')
    return {"envelope": out}


def side(s, keyhex):
    muxers = s["stream_muxers"]
    names = ", ".join(b(m) for m in muxers or []) or "B(\"\", 0)"
    return (f'{{ {h(keyhex[s["identity"]])}, {h(s["static_private"])}, {h(s["ephemeral_private"])}, '
            f'{flag(muxers is not None)}, {len(muxers or [])}, {{ {names} }}, {h(s["payload"])} }}')


def noise():
    keyhex = key_files()
    out = []
    for v in vectors("noise"):
        e = v["expected"]
        note = e["note"]
        early = note.rsplit("= ", 1)[1] if "= " in note else ""
        frames = ", ".join(
            f'{{ {flag(t["direction"].startswith("initiator"))}, {h(t["plaintext"])}, {h(t["frame"])} }}'
            for t in e["transport"])
        out.append(
            f'{{ {lit(v["name"].encode())}, {{ {side(e["initiator"], keyhex)}, '
            f'{side(e["responder"], keyhex)} }}, {{ {h(e["message_1"])}, {h(e["message_2"])}, '
            f'{h(e["message_3"])} }}, {h(e["handshake_hash"])}, {{ {h(e["key_initiator_to_responder"])}, '
            f'{h(e["key_responder_to_initiator"])} }}, {b(early)}, {len(e["transport"])}, {{ {frames} }} }},')
    return {"noise_handshakes": out}


def write_seeds():
    def put(target, name, data):
        os.makedirs(f"tests/corpora/{target}", exist_ok=True)
        with open(f"tests/corpora/{target}/{name}", "wb") as f:
            f.write(data)

    for i, v in enumerate(vectors("keys")):
        data = bytes.fromhex(v.get("hex", ""))
        put("crypto/key/key_fuzz", f"vector-{i:02d}", data)
        if "public_key_pb" in v["expected"]:
            put("crypto/key/key_fuzz", f"vector-{i:02d}-public",
                bytes.fromhex(v["expected"]["public_key_pb"]))
    for i, v in enumerate(vectors("envelope")):
        put("crypto/envelope/envelope_fuzz", f"vector-{i:02d}", bytes.fromhex(v["hex"]))
    for i, v in enumerate(vectors("noise")):
        for who in ("initiator", "responder"):
            put("p2p/noise/payload_fuzz", f"vector-{i}-{who}",
                bytes.fromhex(v["expected"][who]["payload"]))


def main():
    check = "--check" in sys.argv
    files = {**keys(), **envelope(), **noise()}
    os.makedirs(DST, exist_ok=True)
    stale = []
    for name, rows in sorted(files.items()):
        text = "/* Generated by tools/gen/crypto_vectors.py; do not edit. */\n" + "\n".join(rows) + "\n"
        path = f"{DST}/{name}.inc"
        old = open(path, encoding="utf-8").read() if os.path.exists(path) else ""
        if old != text:
            stale.append(path)
            if not check:
                with open(path, "w", encoding="utf-8") as f:
                    f.write(text)
    if not check:
        write_seeds()
    elif stale:
        sys.exit("not current: " + ", ".join(stale))


if __name__ == "__main__":
    main()
