#!/usr/bin/env python3
"""Brings llama.cpp's server onto this machine without touching the system.

    engine.py FOLDER        fetches it into FOLDER unless it is there, and prints the command

Debian sid has it as a package. Its libraries are newer than those of a stable system, so the packages
are unpacked into a folder of their own and run with the loader they bring. The mirror is the one that
this machine's apt uses. When sid cannot be had, the same server comes from PyPI inside `xllamacpp`.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

PACKAGES = ["llama.cpp-tools", "libllama0", "libggml0", "libc6", "libgcc-s1", "libstdc++6", "libgomp1",
            "libssl3t64", "libzstd1", "zlib1g"]
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
FALLBACK_MIRROR = "http://deb.debian.org/debian"

# llama.cpp's server inside a Python process: the same C++ code, started by its bindings.
XLLAMACPP = """
import signal, sys, xllamacpp
args = [x for x in sys.argv[1:] if x != "--embeddings"]
p, a = xllamacpp.CommonParams(), dict(zip(args[::2], args[1::2]))
p.model.path, p.model_alias, p.hostnames, p.port = a["-m"], {a["--alias"]}, [a["--host"]], int(a["--port"])
p.n_ctx, p.cpuparams.n_threads = int(a["-c"]), 1
p.n_parallel = int(a.get("-np", 1))
p.endpoint_metrics = p.endpoint_slots = True
if "--pooling" in a:
    p.embedding, p.pooling_type = True, xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    p.n_batch = p.n_ubatch = p.n_ctx
server = xllamacpp.Server(p)
signal.pause()
"""


class Unavailable(Exception):
    """The server could not be had, and why."""


def mirror():
    """The first archive of Debian proper among this machine's apt sources."""
    found = []
    for source in sorted(Path("/etc/apt/sources.list.d").glob("*.sources")):
        found += re.findall(r"^URIs:\s*(\S+)", source.read_text(), re.M)
    lists = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*.list"))]
    for source in lists:
        if source.exists():
            found += re.findall(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)", source.read_text(), re.M)
    good = [u for u in found if re.search(r"/debian/?$", u)]
    return (good or [FALLBACK_MIRROR])[0].rstrip("/")


def run(command, **how):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          timeout=300, **how)
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(map(str, command[:3]))}...: {done.stdout.strip()[-800:]}")
    return done.stdout


def from_debian(folder):
    """Unpacks sid's packages; returns the command and its environment."""
    apt, debs, root = folder / "apt", folder / "debs", folder / "root"
    for part in (apt / "lists" / "partial", apt / "cache" / "archives" / "partial", debs, root):
        part.mkdir(parents=True, exist_ok=True)
    signed = f"[signed-by={KEYRING}] " if Path(KEYRING).exists() else ""
    (apt / "sources.list").write_text(f"deb {signed}{mirror()} sid main\n")
    options = [
        f"-oDir::Etc::sourcelist={apt}/sources.list", "-oDir::Etc::sourceparts=/dev/null",
        f"-oDir::State::Lists={apt}/lists", f"-oDir::Cache={apt}/cache", "-oAcquire::Languages=none",
        "-oAcquire::IndexTargets::deb::DEP-11::DefaultEnabled=false", "-oAcquire::Retries=3",
    ]
    if os.geteuid() == 0:
        options.append("-oAPT::Sandbox::User=root")
    run(["apt-get", *options, "update"])
    run(["apt-get", *options, "download", *PACKAGES], cwd=debs)
    for deb in sorted(debs.glob("*.deb")):
        run(["dpkg-deb", "-x", str(deb), str(root)])
    server = root / "usr/bin/llama-server"
    loader = next(iter(sorted(root.glob("usr/lib*/**/ld-linux-*.so*"))), None)
    backends = [*root.glob("usr/lib/*/ggml/backends*/libggml-cpu-x64.so"),  # runs everywhere, and slowly
                *sorted(root.glob("usr/lib/*/ggml/backends*/libggml-cpu*.so"))]
    if not server.exists() or loader is None or not backends:
        raise Unavailable("sid's packages do not hold what they used to")
    libs = loader.resolve().parent
    command = [str(loader), "--library-path", f"{libs}:{libs}/llama", str(server), "--no-webui",
               "--metrics", "--slots"]
    return command, {"GGML_BACKEND_PATH": str(backends[0])}


def from_pypi(folder):
    home = folder / "venv"
    venv.create(home, with_pip=True)
    run([str(home / "bin/pip"), "install", "-q", "--disable-pip-version-check", "xllamacpp"])
    script = folder / "server.py"
    script.write_text(XLLAMACPP)
    return [str(home / "bin/python"), str(script)], {}


def works(command, env):
    probe = [*command, "--version"] if "--no-webui" in command else [command[0], "-c", "import xllamacpp"]
    done = subprocess.run(probe, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", timeout=60)
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(probe)}: {done.stdout.strip()[-800:]}")


def fetch(folder):
    """The server's command and environment; kept in FOLDER/engine.json between runs."""
    folder = Path(folder).resolve()
    known = folder / "engine.json"
    if known.exists():
        engine = json.loads(known.read_text())
        try:
            works(engine["command"], engine["env"])
            return engine
        except (Unavailable, OSError):
            pass  # moved, half deleted, or another machine: fetched anew
    why = []
    for source in (from_debian, from_pypi):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            command, env = source(folder)
            works(command, env)
        except (Unavailable, OSError, subprocess.SubprocessError) as err:
            why.append(f"{source.__name__}: {err}")
            continue
        for spent in ("apt", "debs"):
            shutil.rmtree(folder / spent, ignore_errors=True)
        engine = {"from": source.__name__, "command": command, "env": env}
        known.write_text(json.dumps(engine, indent=1) + "\n")
        return engine
    raise Unavailable("; ".join(why))


if __name__ == "__main__":
    print(json.dumps(fetch(sys.argv[1] if len(sys.argv) > 1 else "build/e2e/engine"), indent=1))
