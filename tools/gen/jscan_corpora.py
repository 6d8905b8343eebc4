#!/usr/bin/env python3
"""Writes the seeds of the JSON lexer's fuzzer, tests/corpora/fmt/jscan/jscan_fuzz/.

A seed is three bytes (chunk size, bound on strings, what is skipped) and a text.
"""
import pathlib

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "corpora" / "fmt" / "jscan" / "jscan_fuzz"

TEXTS = {
    "empty": b"{}",
    "numbers": b"[0,-0,12,-1.5e+10,1E-2,0.25,9223372036854775807,-9223372036854775808,99999999999999999999]",
    "numbers_long": b"[" + b"1" * 80 + b",1e400,-1e-400]",
    "numbers_bad": b"[01]",
    "words": b" [ true , false ,\tnull\r\n] ",
    "word_bad": b"[nulL]",
    "escapes": b'["\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC"]',
    "surrogates": b'["\\ud83d\\ude00","\\ud83d","\\ude00x","\\ud83d\\ud83d\\ude00","\\ud83d\\n"]',
    "utf8": '["\u00e9\u20ac\U0001f600"]'.encode(),
    "utf8_bad": b'["\xff\xc3(","\xe2\x82","\xed\xa0\x80","\xf4\x90\x80\x80","\xf0\x9f\x98\\n","\xe0\x9f\xbf"]',
    "control": b'["0123456789abcdef\x01"]',
    "long": b'{"a long enough name to be read by words and blocks, as it is":"' + b"x" * 90 + b'\\n"}',
    "nested": b'{"a":{"b":[{"c":[[],{}]}]},"a":2}',
    "deep": b"[" * 64 + b"]" * 64,
    "deeper": b"[" * 65,
    "mixed": b'[{"k":' * 20 + b"1" + b"}]" * 20,
    "trailing": b'{"a":1} garbage',
    "cut": b'{"a":[1,',
    "comma": b"[1,]",
    "colon": b'{"a":1:2}',
    "bracket": b'{"a":1]',
    "number_alone": b"12",
    "string_alone": b'"x" ',
    "names": "{\"\u017fs\":1,\"\u212as_id\":2,\"KS_ID\":3}".encode(),
    "key_kelvin": "\u212aS_id".encode(),
    "key_long_s": "\u017f".encode() + b"_id",
    "chat": b'{"model":"m-1","stream":true,"messages":[{"role":"user","content":"Say \\"hi\\" to \xe4\xb8\x96"}],'
    b'"temperature":0.7,"max_tokens":16,"user":null}',
    "models": b'{"object":"list","data":[{"id":"m","object":"model","created":1700000000,"owned_by":"x"}]}',
}

OUT.mkdir(parents=True, exist_ok=True)
for i, (name, text) in enumerate(TEXTS.items()):
    head = bytes([i * 5 % 16, (200, 16, 3, 0)[i % 4], (0, 0xAA, 0xFF, 0x11)[i // 4 % 4]])
    (OUT / name).write_bytes(head + text)
