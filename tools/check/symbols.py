#!/usr/bin/env python3
"""Reads the archives of a build and proves with nm that the pure layers do no I/O of their own.

    symbols.py <build folder>

For every module of src/LAYERS outside io, store, sim and app:
- each undefined symbol is one of ours or stands in ALLOW: no clock, random, socket, file or thread;
- nothing lies in .data or .bss: no global mutable state;
- each symbol it defines for others begins with ocf_.
A module whose archive is missing fails too, unless it has headers only.
"""
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
IMPURE = ("io/", "store/", "sim", "app/")
# Pure functions of the C library, and what compilers call by themselves.
ALLOW = re.compile(
    r"mem(cpy|move|set|cmp|chr|rchr)|str(len|nlen|cmp|ncmp|chr|rchr|spn|cspn|str)"
    r"|bcmp|v?snprintf|__v?snprintf_chk|__mem(cpy|move|set)_chk|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|bsearch"
    r"|__(asan|ubsan|tsan|sanitizer|sancov|llvm)_.*")
# More for some modules: base/core says why before it aborts, base/mem holds the one malloc.
EXTRA = {
    "base/core": re.compile(r"abort|stderr|fprintf|__fprintf_chk"),
    "fmt/jscan": re.compile(r"strtod"),  # correctly rounded; no numeric locale is ever set
    "base/mem": re.compile(r"malloc|calloc|realloc|free|aligned_alloc"),
}
CRYPTO = re.compile(r"(EVP|EC|ECDSA|BN|RSA|OSSL|OBJ|ERR|OPENSSL|CRYPTO|ASN1|X509|PKCS\d+)_\w+|[di]2[di]_\w+|sodium_\w+|crypto_\w+")
# Of those, what would bring in randomness that was not injected (RAND_* is outside CRYPTO anyway).
CRYPTO_NOT = re.compile(r"crypto_\w+_keypair|crypto_\w+_keygen|sodium_malloc|BN_(rand|priv_rand)\w*")
CRYPTO_EVEN_SO = {"crypto_sign_seed_keypair", "crypto_box_seed_keypair"}


def modules():
    with open(os.path.join(ROOT, "src", "LAYERS"), encoding="utf-8") as f:
        return re.findall(r"^([a-z0-9/_]+):", f.read(), re.M)


def sources(module):
    names = glob.glob(os.path.join(ROOT, "src", module, "*.c"))
    return [n for n in names if not re.search(r"_(test|fuzz|main)\.c$", n)]


def symbols(archive):
    """(name, class, section) of every symbol of an archive."""
    out = subprocess.run(["nm", "-f", "sysv", archive], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        cells = [c.strip() for c in line.split("|")]
        if len(cells) == 7 and cells[0] != "Name":
            yield cells[0], cells[2], cells[6]


def allowed(module, name):
    if ALLOW.fullmatch(name) or (module in EXTRA and EXTRA[module].fullmatch(name)):
        return True
    if not module.startswith("crypto/") or not CRYPTO.fullmatch(name):
        return False
    return name in CRYPTO_EVEN_SO or not CRYPTO_NOT.fullmatch(name)


def state(section):
    """Whether a section is writable while the program runs (.data.rel.ro is not)."""
    return re.fullmatch(r"\.t?(data|bss)(?!\.rel\.ro)(\..*)?|\*COM\*", section) is not None


def audit(module, archive, ours):
    for name, cls, section in symbols(archive):
        if name.startswith("."):
            continue
        if cls in "Uw" and name not in ours and not allowed(module, name):
            yield f"{module}: calls {name}"
        elif state(section) and not name.startswith("__"):
            yield f"{module}: {name} in {section} is global mutable state"
        elif cls in "TDBRVW" and section and not re.match(r"ocf_|__", name):
            yield f"{module}: {name} is visible to others and does not begin with ocf_"


def main(build):
    pure = [m for m in modules() if not m.startswith(IMPURE) and sources(m)]
    archive = {m: os.path.join(build, f"libocf_{m.replace('/', '_')}.a") for m in pure}
    problems = [f"{m}: {archive[m]} is missing" for m in pure if not os.path.exists(archive[m])]
    pure = [m for m in pure if os.path.exists(archive[m])]
    ours = {n for m in pure for n, cls, section in symbols(archive[m]) if cls in "TDBRVW" and section}
    for m in pure:
        problems += sorted(set(audit(m, archive[m], ours)))
    for p in problems:
        print(p)
    print(f"symbols: {len(pure)} modules of the pure layers, {len(problems)} problems")
    return 1 if problems or not pure else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: symbols.py <build folder>")
    sys.exit(main(sys.argv[1]))
