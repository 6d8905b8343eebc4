#!/usr/bin/env python3
"""The checks themselves can fail: each is given a small tree with one planted fault and must object.

Builds the trees in a temporary folder; nothing of the repository is touched.
"""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
GOOD = {
    "src/LAYERS": "base/core:\nbase/mem: base/core\ncrypto/hash: base/core | sodium\nio/uv: base/mem | uv\n",
    "src/base/core/core.h": "#include <stdint.h>\n",
    "src/base/mem/mem.c": '#include "base/mem/mem.h"\n#include "base/core/core.h"\n#include <string.h>\n',
    "src/base/mem/mem.h": "",
    "src/crypto/hash/hash.c": '#include "base/core/core.h"\n#include <sodium.h>\n',
    "src/io/uv/uv.c": '#include "base/mem/mem.h"\n#include <uv.h>\n',
}
LAYER_FAULTS = {
    "an include upwards": ("src/base/core/core.h", '#include "base/mem/mem.h"\n', "does not declare"),
    "a rule that names a later line": ("src/LAYERS", "base/core: base/mem\nbase/mem:\n", "does not stand above"),
    "a declared dependency nobody includes": ("src/base/mem/mem.c", "", "includes nothing of base/core"),
    "a rule without files": ("src/LAYERS", GOOD["src/LAYERS"] + "base/gone:\n", "dead rule"),
    "files without a rule": ("src/base/lost/x.c", "", "has no line"),
    "a foreign header away from home": ("src/base/mem/mem.c", GOOD["src/base/mem/mem.c"] + "#include <uv.h>\n", "belongs to"),
    "a library away from home": ("src/LAYERS", GOOD["src/LAYERS"].replace("base/mem: base/core", "base/mem: base/core | yaml"), "has its home"),
    "a clock in a pure layer": ("src/base/mem/mem.c", GOOD["src/base/mem/mem.c"] + "#include <time.h>\n", "not for the pure layers"),
    "a test's fixture in a product": ("src/base/mem/mem.c", GOOD["src/base/mem/mem.c"] + '#include "testing/test.h"\n', "may include"),
    "its own header not first": ("src/base/mem/mem.c", '#include "base/core/core.h"\n#include "base/mem/mem.h"\n', "own header first"),
    "a path that leads nowhere": ("src/base/mem/mem.c", GOOD["src/base/mem/mem.c"] + '#include "base/core/no.h"\n', "not a file"),
}
SYMBOL_FAULTS = {
    "a clock": ("#include <time.h>\nlong ocf_now(void);\nlong ocf_now(void) { return (long)time(0); }\n", "calls time"),
    "randomness": ("int getentropy(void *, unsigned long);\nint ocf_r(void);\nint ocf_r(void) { int x; return getentropy(&x, 4) + x; }\n", "calls getentropy"),
    "a file": ("#include <stdio.h>\nint ocf_f(void);\nint ocf_f(void) { return fopen(\"x\", \"r\") != 0; }\n", "calls fopen"),
    "global state": ("int ocf_count;\nvoid ocf_up(void);\nvoid ocf_up(void) { ocf_count++; }\n", "global mutable state"),
    "hidden global state": ("int ocf_up(void);\nint ocf_up(void) { static int n = 1; return n++; }\n", "global mutable state"),
    "a name without prefix": ("void up(void);\nvoid up(void) {}\n", "does not begin with ocf_"),
}
CLEAN = "static const char *const words[] = { \"a\" };\nconst char *ocf_w(int i);\nconst char *ocf_w(int i) { return words[i]; }\n"
failures = []


def write(root, files):
    for path, text in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)


def run(*cmd):
    p = subprocess.run(cmd, capture_output=True, text=True)
    return p.returncode, p.stdout + p.stderr


def expect(what, got, fails, text=""):
    code, out = got
    if (code != 0) != fails or text not in out:
        failures.append(f"{what}: exit {code}, expected {'a complaint' if fails else 'none'} {text!r}:\n{out}")


def layers(tmp):
    def result(changes):
        root = os.path.join(tmp, "layers")
        shutil.rmtree(root, ignore_errors=True)
        write(root, {**GOOD, **changes})
        return run(sys.executable, os.path.join(HERE, "layers.py"), root)
    expect("layers: a good tree", result({}), False)
    for what, (path, text, complaint) in LAYER_FAULTS.items():
        expect(f"layers: {what}", result({path: text}), True, complaint)


def symbols(tmp):
    root = os.path.join(tmp, "symbols")
    write(root, {"src/LAYERS": "base/buf:\n", "src/base/buf/x.c": ""})
    os.makedirs(os.path.join(root, "tools", "check"))
    script = shutil.copy(os.path.join(HERE, "symbols.py"), os.path.join(root, "tools", "check"))

    def result(code):
        write(root, {"x.c": code})
        for old in ("libocf_base_buf.a", "x.o"):
            if os.path.exists(os.path.join(root, old)):
                os.remove(os.path.join(root, old))
        subprocess.run(["gcc", "-std=c11", "-O1", "-fPIC", "-c", "x.c"], cwd=root, check=True)
        subprocess.run(["ar", "rcs", "libocf_base_buf.a", "x.o"], cwd=root, check=True)
        return run(sys.executable, script, root)
    expect("symbols: a clean archive", result(CLEAN), False)
    for what, (code, complaint) in SYMBOL_FAULTS.items():
        expect(f"symbols: {what}", result(code), True, complaint)
    os.remove(os.path.join(root, "libocf_base_buf.a"))
    expect("symbols: a missing archive", run(sys.executable, script, root), True, "is missing")


def words(tmp):
    root = os.path.join(tmp, "words")
    write(root, {"a.txt": "a plain line\n"})
    subprocess.run(["git", "init", "-q", root], check=True)
    subprocess.run(["git", "-C", root, "add", "a.txt"], check=True)
    script = os.path.join(HERE, "words.py")
    expect("words: a plain tree", run(sys.executable, script, root), False)
    write(root, {"a.txt": "see /wo" + "rk/main\n"})
    expect("words: a path of the machine", run(sys.executable, script, root), True, "a.txt:1")


def main():
    with tempfile.TemporaryDirectory() as tmp:
        layers(tmp)
        symbols(tmp)
        words(tmp)
    for f in failures:
        print(f)
    n = len(LAYER_FAULTS) + len(SYMBOL_FAULTS) + 2
    print(f"selftest: {n} planted faults, {len(failures)} problems")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
