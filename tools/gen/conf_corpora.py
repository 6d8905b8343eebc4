#!/usr/bin/env python3
"""Writes the seeds of the configuration fuzzers, tests/corpora/app/conf/{yaml,args}_fuzz/.

One seed per line of the option table, plus files as the Go nodes write them and hostile ones.
"""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "corpora" / "app" / "conf"
TABLE = (ROOT / "config" / "options.inc").read_text()
SAMPLE = (ROOT / "config" / "cfg.sample.yaml").read_text()

rows = re.findall(r'^OPT\(\w+, \w+, "([^"]+)", "([^"]*)"', TABLE, re.M)
rows += re.findall(r'^OPT_ENUM\(\w+, \w+, "([^"]+)", "([^"]*)"', TABLE, re.M)

YAML = {
    "sample": SAMPLE,
    "all": "".join(
        f"{k}: {v or chr(34) * 2}\n" for k, v in rows if k not in ("config", "config-dir")
    ),
    "go_ocf": 'bootstrap:\n  addr: http://192.0.2.1:8092/v1/dnt/bootstraps\ncleanslate: true\n'
    'mode: node\nname: relay\np2p:\n  port: "8093"\npath: ""\nport: "8092"\npublic-addr: ""\n'
    'queue:\n  port: "8094"\nseed: "0"\ntcpport: "43905"\nudpport: "59820"\nvacuum:\n  interval: 10\n',
    "go_opentela": "security:\n  require_signed_binary: true\n  rate_limit: {enabled: false}\n"
    "swim:\n  probe_interval: 500ms\ntrusted_wallets: [a, b]\nloglevel: debug\n"
    "service: {name: llm, port: 8000, health_interval: 30}\n",
    "services": "services:\n  - name: llm\n    url: http://127.0.0.1:8000\n    identity_group:\n"
    "      - model=a\n  - {name: u, url: 'unix:/run/u.sock', health_interval: 2s}\n"
    '  - {name: six, url: "http://[::1]:81/"}\n',
    "services_bad": "services:\n  - name: ..\n  - 5\n  - {url: [1], nmae: x, ? [a] : b}\n",
    "unknown": "prot: 1\nhttp:\n  header_timeuot: 5s\n  x: {y: [1, {z: 2}]}\n",
    "twice": "port: 1\nport: 2\nlisten: [/a]\nlisten: /b\n",
    "anchor": "a: &x [1]\nb: *x\n",
    "bomb": "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
    "tag": "port: !!int 5\n",
    "deep": "wallet: " + "{a: " * 40,
    "flow": "[" * 2000,
    "documents": "port: 1\n---\nport: 2\n...\n",
    "bom": "\ufeffport: 1\r\nrole: head\r\n",
    "block": "host: |\n  a\n  b\nrole: >-\n  head\n",
    "empty": "# nothing\n",
    "null": "port: ~\nhttp: null\nlisten: []\nservices: {}\n",
    "control": 'host: "a\\x07b"\n',
    "huge_number": "port: 99999999999999999999\nlimits.memory: 18446744073709551616\n",
}

ARGS = {
    "flags": "\n".join(f"--{k}={v}" for k, v in rows if v),
    "values": "--tcpport\n0\n--listen\n/ip4/127.0.0.1/tcp/0\n--listen=/ip6/::1/tcp/0\n--port\n0",
    "bools": "--retry.enabled\n--no-metrics.enabled\n--p2p_route_open=true\n--no-port\n--no-retry.enabled=1",
    "env": "HOME=/h\nXDG_CONFIG_HOME=/x\nOF_PORT=1\nOCF_PORT=2\nOCF_LISTEN=/a /b,/c\nOF_PUBLIC-ADDR=192.0.2.1",
    "env_all": "\n".join(
        f"OCF_{re.sub('[.-]', '_', k).upper()}={v}" for k, v in rows if v
    ),
    "env_unknown": "OCF_PROT=1\nOCF_=x\nOF_CRDT_X=1\nOCF_PORT=tcp://10.0.0.1:80",
    "services": "--services=name=a,url=http://h:1\n--services\nname=b,url=unix:/x;name=c,url=http://[::1]:2\n--service.name=d\n--service.port=4",
    "services_bad": "--services=x\n--services=name=a,url=ftp://h\n--service.name=a",
    "ignored": "--seed\n5\n--cleanslate\n--solana.rpc=x\n--wallet.account\nme\n--udpport=1",
    "unknown": "--tcport\n5\n--header-timeout=1s\nstray\n-p\n--\n---\n--=\n--=x",
    "missing": "--tcpport\n--port",
    "missing_last": "--tcpport",
    "paths": "HOME=/h\n--key-file=~/k\n--config=~\n--datadir=~user/x",
    "no_home": "--key-file=~/k",
    "levels": "--log.level=info,swarm=debug\n--loglevel=loud",
    "ranges": "--planes=0\n--http.header_bytes=2MiB\n--p2p.conn_low=500\n--http.idle_timeout=10",
    "empty_values": "--port=\n--listen=\n--role=\n--log.level=",
}


def main():
    for name, seeds in (("yaml_fuzz", YAML), ("args_fuzz", ARGS)):
        folder = OUT / name
        folder.mkdir(parents=True, exist_ok=True)
        for seed, text in seeds.items():
            (folder / seed).write_bytes(text.encode())


main()
