#!/usr/bin/env python3
"""Writes the seeds of the bootstrap list's fuzzer, tests/corpora/registry/bootlist/bootlist_fuzz/."""
import pathlib

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "corpora" / "registry" / "bootlist" / "bootlist_fuzz"
ID = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
RSA = "QmYNKue8EkbVMD2b13qRbBFPV2hpr14gZPPWGDGZu2jjpL"
A, B = f"/ip4/192.0.2.1/tcp/43905/p2p/{ID}", f"/dns4/boot.example.org/tcp/443/wss/p2p/{RSA}"
MANY = [f"/ip4/192.0.2.{i % 250}/tcp/{i + 1}/p2p/{ID}" for i in range(260)]

TEXTS = {
    "one": A,
    "comma": f"{A},{B}",
    "lines": f" {A}\n{B}\r\n;\t{A} ",
    "array": f'[ "{A}", " {B} ", "" ]',
    "object": f'{{"bootstraps":["{A}","{B}"]}}\n',
    "object_more": f'{{"x":[1,{{}}],"BOOTSTRAPS":["{A}"],"y":"z"}}',
    "object_null": '{"bootstraps":null}',
    "object_none": '{"peers":[]}',
    "object_text": f'{{"bootstraps":"{A}"}}',
    "object_object": f'{{"bootstraps":{{"a":[1]}},"bootstraps":["{A}"]}}',
    "elements": f'[1,"{A}",null,["{B}"],{{"a":1}}]',
    "cut": f'["{A}","{B}',
    "trailing": f'["{A}"] x',
    "deep": '{"x":' + "[" * 70,
    "bad": f"nonsense,{A},/ip4/300.1.1.1/tcp/1/p2p/{ID},/ip4/192.0.2.1/tcp/43905,/quux/1/p2p/{ID},{B}",
    "circuit": f"/ip4/192.0.2.1/tcp/1/p2p/{ID}/p2p-circuit/p2p/{RSA} /ip4/192.0.2.1/tcp/1/p2p/{ID}/p2p-circuit",
    "two_ids": f"/ip4/192.0.2.1/p2p/{ID}/p2p/{RSA}",
    "many": ",".join(MANY),
    "many_json": '{"bootstraps":["' + '","'.join(MANY) + '"]}',
    "long": '["/dns4/' + "x" * 4200 + '"]',
    "long_name": "/dns4/" + "x" * 600 + "/tcp/1",
    "escaped": '["a\\u001b[2J\\u0000\\"b"]',
    "url": "https://192.0.2.1:8092/v1/dnt/bootstraps",
    "dnsaddr": "dnsaddr://boot.example.org/",
    "txt": f"dnsaddr={A}",
    "txt_bad": "dnsaddr=/ip4/1.2.3.4",
    "html": "<html><body>404</body></html>",
    "blank": " \n",
    "errors": ",".join("x" * (i + 1) for i in range(30)),
}

OUT.mkdir(parents=True, exist_ok=True)
for name, text in TEXTS.items():
    (OUT / name).write_bytes(text.encode())
(OUT / "name_bad").write_bytes(b"/dns4/\xff\xfe/tcp/1/p2p/" + ID.encode())
