#!/usr/bin/env python3
"""Holds every #include under src/ against src/LAYERS. No advisory mode: a finding fails.

- A module includes itself and what its line names; lines stand bottom-up, so there is no cycle.
- Dead rules fail: a module without files, a dependency or library that nothing of it includes.
- A third-party header belongs to one folder (LIBS below), and its library to that module's line.
- The pure layers use only the headers in PURE; tests and fixtures only tests may include are exempt.

    layers.py [root]
"""
import os
import re
import sys

LINE = re.compile(r"^([a-z0-9/_]+):([^|]*)(?:\|(.*))?$")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)

# library of src/LAYERS: (its headers, the modules that may include them)
LIBS = {
    "uv": (r"uv\.h|uv/.*", r"io/uv"),
    "resolv": (r"resolv\.h|arpa/nameser\.h", r"io/uv"),
    "sodium": (r"sodium\.h|sodium/.*", r"crypto/.*"),
    "crypto": (r"openssl/.*", r"crypto/.*"),
    "yaml": (r"yaml\.h", r"app/conf"),
    "lmdb": (r"lmdb\.h", r"store/lmdb"),
    "curl": (r"curl/.*", r"io/fetch"),
    "jansson": (r"jansson.*\.h", r"app/(dev|mock)"),
}
# What a layer without clock, file, socket, thread or global state needs of the C library.
# <stdio.h> is here for snprintf; tools/check/symbols.py finds every other call of it.
PURE = {"inttypes.h", "limits.h", "stdalign.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h",
        "stdlib.h", "stdnoreturn.h", "string.h"}
# The one pure module with an object that threads share: snapshots of the node table, counted atomically.
ATOMIC = {"registry/table"}
IMPURE_LAYERS = {"io", "store", "sim", "app"}
DATA = re.compile(r"config/[a-z_]+\.inc|ocf_build_info\.h")  # tables, and what CMake writes
TEST_DATA = re.compile(r"testing/[a-z_]+\.h|tests/vectors/gen/[a-z_0-9]+\.inc")
TEST_FILE = re.compile(r"_(test|fuzz)\.[ch]$")


class Layers:
    """src/LAYERS as read: rules[module] = (dependencies, libraries)."""

    def __init__(self, path):
        self.rules, self.problems = {}, []
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                self.add(f"src/LAYERS:{number}", line.split("#")[0].strip())

    def add(self, where, line):
        if not line:
            return
        m = LINE.match(line)
        if not m:
            self.problems.append(f"{where}: not a rule: {line}")
            return
        module, deps, libs = m.group(1), m.group(2).split(), (m.group(3) or "").split()
        if module in self.rules:
            self.problems.append(f"{where}: second rule for {module}")
        for d in deps:
            if d not in self.rules:
                self.problems.append(f"{where}: {module} names {d}, which does not stand above it")
        for lib in libs:
            if lib not in LIBS:
                self.problems.append(f"{where}: unknown library {lib}")
            elif not re.fullmatch(LIBS[lib][1], module):
                self.problems.append(f"{where}: {lib} has its home in {LIBS[lib][1]}, not in {module}")
        self.rules[module] = (set(deps), set(libs))


def read_sources(src):
    """{path relative to src: [(is system header, name)]} of every .c, .h and .inc file."""
    found = {}
    for folder, _, names in os.walk(src):
        for n in names:
            if n.endswith((".c", ".h", ".inc")):
                path = os.path.join(folder, n)
                with open(path, encoding="utf-8", errors="replace") as f:
                    text = f.read()
                found[os.path.relpath(path, src)] = [(k == "<", i) for k, i in INCLUDE.findall(text)]
    return found


def test_only(files):
    """Files that no production source reaches: tests, fuzzers, and headers only they include."""
    reached, todo = set(), [f for f in files if f.endswith(".c") and not TEST_FILE.search(f)]
    lone = {f for f in files if f.endswith(".h")} - {i for inc in files.values() for _, i in inc}
    todo += [f for f in lone if not TEST_FILE.search(f)]
    while todo:
        f = todo.pop()
        if f in reached:
            continue
        reached.add(f)
        todo += [i for system, i in files[f] if not system and i in files]
    return set(files) - reached


class Checker:
    def __init__(self, root):
        self.src = os.path.join(root, "src")
        self.layers = Layers(os.path.join(self.src, "LAYERS"))
        self.files = read_sources(self.src)
        self.tests = test_only(self.files)
        self.problems = self.layers.problems
        self.used = {m: set() for m in self.layers.rules}
        self.used_libs = {m: set() for m in self.layers.rules}

    def complain(self, path, text):
        self.problems.append(f"src/{path}: {text}")

    def system(self, path, module, name):
        for lib, (headers, home) in LIBS.items():
            if re.fullmatch(headers, name):
                if not re.fullmatch(home, module):
                    self.complain(path, f"<{name}> belongs to {home}")
                elif lib not in self.layers.rules[module][1]:
                    self.complain(path, f"<{name}>: the line of {module} does not name | {lib}")
                self.used_libs[module].add(lib)
                return
        if path in self.tests or module.split("/")[0] in IMPURE_LAYERS:
            return
        if name not in PURE and not (name == "stdatomic.h" and module in ATOMIC):
            self.complain(path, f"<{name}> is not for the pure layers")

    def own(self, path, module, name):
        if name.startswith("."):
            name = os.path.relpath(os.path.normpath(os.path.join(self.src, os.path.dirname(path), name)),
                                   os.path.dirname(self.src))
        if DATA.fullmatch(name) or (TEST_DATA.fullmatch(name) and path in self.tests):
            return
        target = os.path.dirname(name)
        if name not in self.files:
            self.complain(path, f'"{name}" is not a file under src/ that this may include')
        elif target != module:
            self.used[module].add(target)
            if target not in self.layers.rules[module][0]:
                self.complain(path, f"{module} does not declare {target}")
            if name in self.tests and path not in self.tests:
                self.complain(path, f'"{name}" is for tests only')

    def run(self):
        for path, includes in sorted(self.files.items()):
            module = os.path.dirname(path)
            if module not in self.layers.rules:
                self.complain(path, f"src/LAYERS has no line for {module or 'src itself'}")
                continue
            if path.endswith(".c") and includes and not TEST_FILE.search(path):
                own = path[:-2] + ".h"
                if own in self.files and os.path.dirname(includes[0][1]) != module:
                    self.complain(path, "include the module's own header first")
            for system, name in includes:
                (self.system if system else self.own)(path, module, name)
        self.dead()
        return self.problems

    def dead(self):
        homes = {os.path.dirname(f) for f in self.files}
        for module, (deps, libs) in self.layers.rules.items():
            if module not in homes:
                self.problems.append(f"src/LAYERS: dead rule: src/{module} has no files")
                continue
            for d in sorted(deps - self.used[module]):
                self.problems.append(f"src/LAYERS: dead: {module} includes nothing of {d}")
            for lib in sorted(libs - self.used_libs[module]):
                self.problems.append(f"src/LAYERS: dead: {module} includes no header of | {lib}")


# Entry points: a main() stands in src/app/ itself and may use any module of the daemon.
def main(root):
    checker = Checker(root)
    mains = [p for p in checker.files if re.fullmatch(r"app/ocf_\w+\.c", p)]
    for p in mains:
        for system, name in checker.files.pop(p):
            if not system and name not in checker.files:
                checker.complain(p, f'"{name}" is no file under src/')
    problems = checker.run()
    for p in problems:
        print(p)
    print(f"layers: {len(checker.layers.rules)} modules, {len(checker.files) + len(mains)} files, "
          f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else
                  os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")))
