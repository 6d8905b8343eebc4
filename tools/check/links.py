#!/usr/bin/env python3
"""Checks the Markdown files: links inside the repository lead somewhere, and what a page names in
backquotes as a path of ours (src/..., tools/..., docs/..., tests/..., config/..., cmake/...) exists."""
import os
import re
import subprocess
import sys

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(r"`((?:src|tools|docs|tests|config|cmake|examples|testing|\.ci)/[A-Za-z0-9_./-]*)`")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)


def anchors(path):
    with open(path, encoding="utf-8") as f:
        heads = re.findall(r"^#+ +(.*)$", FENCE.sub("", f.read()), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}


def check(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        text = FENCE.sub("", f.read())
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        full = os.path.normpath(os.path.join(ROOT, os.path.dirname(path), target)) if target else os.path.join(ROOT, path)
        if not os.path.exists(full):
            yield f"{path}: no such file: {link}"
        elif anchor and full.endswith(".md") and anchor not in anchors(full):
            yield f"{path}: no such heading: {link}"
    for name in PATH.findall(text):
        if "*" not in name and not os.path.exists(os.path.join(ROOT, name)):
            yield f"{path}: names `{name}`, which does not exist"


def main():
    out = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    pages = [p for p in out.split("\n") if p and "/corpora/" not in p and os.path.exists(os.path.join(ROOT, p))]
    problems = [x for p in pages for x in check(p)]
    for p in problems:
        print(p)
    print(f"links: {len(pages)} pages, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
