#!/bin/bash
# tools/fuzz_cov.sh [name] [least percent]: what each fuzz target's committed corpus reaches of the code
# that the target is for, in lines; fails when one stays below 80 %. Replays the corpora with the cov
# preset's programs, one profile for each. A target is for all sources of its module, unless `OWN`
# below names those it is for; sources of layers 0-2 that no target is for are listed. The lines themselves: build/cov/fuzz/<target>.txt. OCF_COV_BUILD names
# another build folder of that preset.
set -euo pipefail
cd "$(dirname "$0")/.."
name=${1:-} least=${2:-80} build=${OCF_COV_BUILD:-build/cov}
if [ -z "${OCF_COV_BUILD:-}" ]; then
  [ -f "$build/build.ninja" ] || cmake --preset cov >/dev/null
fi
export NAME=$name LEAST=$least BUILD=$build
exec python3 - <<'P'
import glob, json, os, re, subprocess, sys

NAME, LEAST, BUILD = os.environ["NAME"], float(os.environ["LEAST"]), os.environ["BUILD"]
# Modules with several parsers have a target for each: these are the sources that it feeds. "file.c:a,b"
# means only those functions of it, "file.c!a,b" all but those.
OWN = {
    "app/conf/args_fuzz": ["conf.c!ocf_conf_reload,ocf_conf_show", "report.c", "table.c", "value.c"],
    "app/conf/yaml_fuzz": ["yaml.c", "service.c", "report.c", "table.c", "value.c"],
    "app/dev/answer_fuzz": ["answer.c", "lines.c"],
    "app/mock/ask_fuzz": ["ask.c", "say.c", "text.c"],
    "base/ds/heap_fuzz": ["heap.c", "ring.c"],
    "base/ds/map_fuzz": ["lru.c", "map.c"],
    "base/time/wheel_fuzz": ["wheel.c"],
    "crdt/merkle/broadcast_fuzz": ["delta.c:head_parse,ocf_merkle_heads_add,ocf_merkle_heads_next,ocf_merkle_heads_parse"],
    "crdt/merkle/delta_fuzz": ["delta.c!head_parse,ocf_merkle_heads_add,ocf_merkle_heads_next,ocf_merkle_heads_parse"],
    "http/h1/body_fuzz": ["body.c"],
    "http/h1/client_fuzz": ["client.c", "pool.c"],
    "http/h1/request_fuzz": ["fields.c", "names.c", "path.c", "scan.c", "parse.c!status_line,ocf_h1_parse_response",
                             "write.c!ocf_h1_make_request,framing_fits,ocf_h1_write_response"],
    "http/h1/response_fuzz": ["scan.c", "fields.c", "write.c:framing_fits,ocf_h1_write_response,put_fields,put_rest",
                              "parse.c:fail,at_crlf,control_error,begin,name_error,field_line,field_lines,version,"
                              "status_line,ocf_h1_parse_response"],
    "http/h1/server_fuzz": ["server.c", "pool.c"],
    "http/h1/sse_fuzz": ["sse.c", "problem.c"],
    "p2p/bitswap/msg_fuzz": ["msg.c"],
    # All but what it tells about itself (gossip_look.c), which no peer's bytes reach.
    "p2p/gossipsub/gossip_fuzz": ["gossip_ids.c", "gossip_lazy.c", "gossip_mesh.c", "gossip_peer.c", "gossip_publish.c",
                                  "gossip_rpc.c", "gossip_rx.c", "gossip_score.c", "gossip_tx.c", "gossip_verify.c",
                                  "gossipsub.c"],
    "p2p/gossipsub/gossip_rpc_fuzz": ["gossip_rpc.c"],
    "p2p/noise/payload_fuzz": ["payload.c"],
    # Both ends of the pair are ours and send only what is right; wrong frames are yamux_fuzz's part.
    "p2p/yamux/yamux_pair_fuzz": ["yamux_out.c", "yamux_stream.c", "yamux_table.c"],
    # Files that are damaged; what the kernel may say to writing them is the unit tests' part.
    "store/lmdb/lmdb_fuzz": ["check.c", "checkpoint.c", "open.c"],
}

def run(*cmd, **kw):
    return subprocess.run(cmd, check=True, capture_output=True, text=True, **kw).stdout

def sources(module):
    return sorted(os.path.abspath(p) for p in glob.glob(f"src/{module}/*.c") if not re.search(r"_(test|fuzz|main)\.c$", p))

def functions(report):
    """{file: {function: (covered, lines)}} of llvm-cov's table of functions; statics are "file.c:name" there."""
    out, name = {}, None
    for line in report.splitlines():
        if line.startswith("File '"):
            name = os.path.basename(line.split("'")[1])
        m = re.match(r"(\S+)\s+\d+\s+\d+\s+[\d.]+%\s+(\d+)\s+(\d+)\s", line)
        if m and name and m[1] != "TOTAL":
            out.setdefault(name, {})[m[1].split(":")[-1]] = (int(m[2]) - int(m[3]), int(m[2]))
    return out

targets = []
for path in sorted(glob.glob("src/*/*/*_fuzz.c") + glob.glob("src/*/*_fuzz.c")):
    module, base = os.path.dirname(path)[4:], os.path.basename(path)[:-2]
    key = f"{module}/{base}"
    if NAME in key:
        targets.append((key, module, "ocf_" + module.replace("/", "_") + "__" + base))
if not targets:
    sys.exit(f"no fuzz target matches '{NAME}'")
known = {key for key, _, _ in targets}
for key in OWN:
    if NAME in key and key not in known:
        sys.exit(f"OWN names {key}, which is no target")
build = subprocess.run(["ninja", "-C", BUILD, "-j2", *(t for _, _, t in targets)], capture_output=True, text=True)
if build.returncode != 0:
    sys.exit(build.stdout[-3000:])

out = os.path.join(BUILD, "fuzz")
os.makedirs(out, exist_ok=True)
good = bad = 0
own = set()
for key, module, target in targets:
    exe, stem = os.path.join(BUILD, target), os.path.join(out, key.replace("/", "_"))
    raw, data = stem + ".profraw", stem + ".profdata"
    run("timeout", "120", exe, f"tests/corpora/{key}", env={**os.environ, "LLVM_PROFILE_FILE": raw})
    run("llvm-profdata", "merge", "-sparse", raw, "-o", data)
    os.remove(raw)
    paths = sources(module)
    with open(stem + ".txt", "w") as f:
        f.write(run("llvm-cov", "show", "-instr-profile", data, exe, *paths))
    seen = functions(run("llvm-cov", "report", "-show-functions", "-instr-profile", data, exe, *paths))
    total, per = [0, 0], []
    for spec in OWN.get(key) or [os.path.basename(p) for p in paths]:
        n, only, but = re.match(r"([a-z0-9_]+\.c)(?::(.*))?(?:!(.*))?$", spec).groups()
        named = set((only or but or "").split(",")) - {""}
        own.add(f"{module}/{n}")
        if n not in seen or named - set(seen[n]):
            sys.exit(f"{key}: no code of {n} in it, or no {sorted(named - set(seen.get(n, {})))}")
        c = [sum(v[i] for f, v in seen[n].items() if not named or (f in named) == bool(only)) for i in (0, 1)]
        total = [total[i] + c[i] for i in (0, 1)]
        per.append(f"{spec.translate(str.maketrans(':!', '++')).split('+')[0]}:{100 * c[0] // max(1, c[1])}")
    ok = total[1] and 100 * total[0] >= LEAST * total[1]
    good, bad = good + bool(ok), bad + (not ok)
    print(f"{'ok  ' if ok else 'FAIL'} {key:30} {100 * total[0] / max(1, total[1]):5.1f} % of {total[1]:5} lines  "
          + " ".join(per), flush=True)
if not NAME:
    modules = {m for _, m, _ in targets if m.split("/")[0] in ("fmt", "crypto", "multi", "p2p", "http", "crdt")}
    none = sorted({f"{m}/{os.path.basename(p)}" for m in modules for p in sources(m)} - own)
    print("sources of those modules that no target is for: " + (" ".join(none) or "none"))
print(f"{good} passed, {bad} failed, 0 skipped")
sys.exit(1 if bad else 0)
P
