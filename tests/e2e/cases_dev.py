"""`ocf dev`: the demo as people run it, with and without a terminal, and its end in every way."""

import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from processes import clean_env, eventually, finish, spawn
from wire import Failure, expect, same

FAST = ["--token-delay", "2ms", "--port", "0"]


def place(run, name):
    """A TMPDIR of its own, so that what is left behind can be seen."""
    folder = run.folder / name
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    return folder, {**clean_env(folder), "TMPDIR": str(folder / "tmp")}


def left(folder):
    return sorted(os.listdir(folder / "tmp"))


def pids(text):
    return [int(p) for p in re.findall(r"pid (\d+)", text)]


def pid_of(name, text):
    return int(re.search(rf"^  {name} +pid (\d+)", text, re.M)[1])


def alive(pid):
    """Running; a zombie that nobody has waited for is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Terminal:
    """`ocf dev` on a pseudo-terminal."""

    def __init__(self, run, name, *args):
        self.folder, env = place(run, name)
        self.fd, theirs = pty.openpty()
        # As a session of its own whose terminal this is: Ctrl-C works as in a window.
        self.p = spawn(["setsid", "--ctty", run.ocf, "dev", *FAST, *args], env={**env, "TERM": "xterm"},
                       cwd=self.folder, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self.text = ""

    def read(self, pattern, seconds=20):
        """Reads until the pattern has come, or to the end for None; returns the text without colours."""
        until = time.monotonic() + seconds
        while pattern is None or not re.search(pattern, self.plain):
            if time.monotonic() > until:
                raise Failure(f"no {pattern!r} in {self.plain[-800:]!r}")
            if not select.select([self.fd], [], [], 0.1)[0]:
                continue
            try:
                got = os.read(self.fd, 65536)
            except OSError:  # how a terminal says that the other side is gone
                got = b""
            if not got:
                if pattern is None:
                    break
                raise Failure(f"ended without {pattern!r}: {self.plain[-800:]!r}")
            self.text += got.decode()
        return self.plain

    @property
    def plain(self):
        return re.sub(r"\x1b\[[0-9;]*m", "", self.text).replace("\r", "")

    def up(self):
        return self.read(r"Requests appear here")

    def ends(self, status, seconds=5):
        self.read(None, seconds)
        same(self.p.wait(seconds), status, "exit status")
        eventually(lambda: not any(alive(p) for p in pids(self.plain)), 5, "all processes gone")


def test_without_a_terminal_one_request_is_answered(run):
    folder, env = place(run, "once")
    start = time.monotonic()
    status, out, err = finish([run.ocf, "dev", *FAST], env=env, cwd=folder)
    took = time.monotonic() - start
    same(status, 0, f"exit status ({err})")
    worker = re.search(r"worker +pid \d+ +http://\S+ +(\S+)", out)[1]
    same(re.search(r"^X-Computing-Node: (\S+)$", out, re.M)[1], worker, "the node that computed")
    expect("You asked: What is OCF? OCF joins" in out and "from anyone." in out, out)
    expect("\x1b" not in out, "colours in a file")
    expect(took <= 5, f"took {took:.1f} s")
    same(len(set(pids(out))), 3, "processes")
    expect(not any(alive(p) for p in pids(out)), "a process is left")
    same(left(folder), [], "what is left in TMPDIR")
    return f"{took:.2f} s"


def test_with_a_terminal_it_stays_until_ctrl_c(run):
    t = Terminal(run, "stay")
    text = t.up()
    curl = re.search(r"^curl .*$", text, re.M)[0]
    out = subprocess.run(curl + " -sS", shell=True, capture_output=True, text=True, timeout=20, check=True).stdout
    expect("data: [DONE]" in out, out[-300:])
    line = re.search(r"POST /v1/chat/completions  200  tiny-mock  worker \S+  first token \d+ ms  \d+ tokens  "
                     r"[\d.]+ tokens/s  \d+ ms", t.read(r"(?s)Requests appear.*tokens/s.*ms"))
    expect(line, t.plain[-500:])
    os.write(t.fd, b"\x03")
    t.ends(0)
    same(left(t.folder), [], "what is left in TMPDIR")


def test_python_from_the_screen_runs_as_it_is(run):
    t = Terminal(run, "python")
    text = t.up()
    code = text[text.index("from openai import"):text.index("Requests appear")]
    base = re.search(r'base_url="([^"]+)"', code)[1]
    compile(code, "snippet", "exec")
    expect(re.fullmatch(r"http://127\.0\.0\.1:\d+/v1/service/llm/v1", base), base)
    os.write(t.fd, b"\x03")
    t.ends(0)


def test_sigterm_and_hangup_end_it_in_order(run):
    for name, sig in (("term", signal.SIGTERM), ("hup", signal.SIGHUP)):
        t = Terminal(run, name)
        t.up()
        t.p.send_signal(sig)
        t.ends(0)
        same(left(t.folder), [], "what is left in TMPDIR")


def test_killed_it_takes_its_processes_along(run):
    t = Terminal(run, "killed")
    t.up()
    t.p.kill()
    t.p.wait(5)
    eventually(lambda: not any(alive(p) for p in pids(t.plain)), 5, "all processes gone")
    same(len(left(t.folder)), 1, "folders left by the kill")
    status, _, err = finish([run.ocf, "dev", *FAST], env=place(run, "killed")[1], cwd=t.folder)
    same(status, 0, f"exit status of the next run ({err})")
    same(left(t.folder), [], "what is left after the next run")


def test_a_process_that_dies_is_a_failure_with_its_last_lines(run):
    t = Terminal(run, "worker-dies")
    worker = pid_of("worker", t.up())
    os.kill(worker, signal.SIGKILL)
    t.ends(1)
    expect('the process "worker" was killed by signal 9' in t.plain, t.plain[-800:])
    expect('"msg":"peer connected"' in t.plain, "the worker's last lines are missing")
    same(left(t.folder), [], "what is left in TMPDIR")


def test_a_taken_port_is_told_or_avoided(run):
    folder, env = place(run, "port")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        status, out, err = finish([run.ocf, "dev", "--port", str(s.getsockname()[1])], env=env, cwd=folder)
    same(status, 1, "exit status")
    expect(re.search(r"port \d+ cannot be used: Address already in use; choose another", err), err)
    same(left(folder), [], "what is left in TMPDIR")


def test_an_interrupted_first_answer_has_its_status(run):
    folder, env = place(run, "interrupted")
    p = spawn([run.ocf, "dev", "--once", "--port", "0", "--token-delay", "1s"], env=env, cwd=folder,
              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    eventually(lambda: "> What" in p.stdout.readline(), 10, "the request", every=0)
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=5)
    same(p.returncode, 130, "exit status")
    same(left(folder), [], "what is left in TMPDIR")


def test_no_answer_in_time_is_a_failure(run):
    folder, env = place(run, "late")
    status, _, err = finish([run.ocf, "dev", "--once", "--port", "0", "--token-delay", "500ms", "--timeout", "2s"],
                            env=env, cwd=folder)
    same(status, 1, "exit status")
    expect("no complete answer in time" in err, err)


def test_several_workers_and_kept_folders(run):
    folder, env = place(run, "keep")
    status, out, err = finish([run.ocf, "dev", *FAST, "--nodes", "4", "--keep"], env=env, cwd=folder)
    same(status, 0, f"exit status ({err})")
    same(len(set(pids(out))), 6, "processes")
    kept = Path(re.search(r"^kept: (\S+)$", out, re.M)[1])
    same(sorted(p.name for p in kept.iterdir()), ["head", "mock-1", "mock-2", "worker-1", "worker-2", "worker-3"], "folders")
    ids = set()
    for node in ("head", "worker-1", "worker-2", "worker-3"):
        expect((kept / node / ".config/ocf/keys/id").exists(), f"{node} has no key of its own")
        ids.add((kept / node / ".config/ocf/keys/id").read_bytes())
        for line in (kept / node / "log").read_text().splitlines():
            json.loads(line)
    same(len(ids), 4, "different keys")


def test_five_nodes_route_by_model_and_outlive_a_worker(run):
    t = Terminal(run, "five", "--nodes", "5", "--model", "m")
    text = t.up()
    expect("model m: worker-1, worker-2\n" in text and "model m-2: worker-3\n" in text, text)
    urls = re.findall(r"^  head-\d +pid \d+ +(http://\S+)", text, re.M)
    same(len(urls), 2, "heads")

    def ask(head, model):
        body = json.dumps({"model": model, "max_tokens": 2, "messages": [{"role": "user", "content": "Hello"}]})
        r = urllib.request.Request(f"{urls[head]}/v1/service/llm/v1/chat/completions", body.encode(),
                                   {"Content-Type": "application/json"})
        with urllib.request.urlopen(r, timeout=10) as answer:
            return json.load(answer)["model"], answer.headers["X-Computing-Node"]

    ids = dict(re.findall(r"^  (worker-\d) +pid \d+ +\S+ +(\S+)", text, re.M))
    for head in (0, 1):
        same(ask(head, "m-2"), ("m-2", ids["worker-3"]), "model and node")
        expect(ask(head, "m")[1] in (ids["worker-1"], ids["worker-2"]), "the other workers have m")
    expect(re.search(r"m-2  worker-3 \S+", t.read(r"m-2  worker-3")), "the line names the node")
    os.kill(pid_of("worker-1", text), signal.SIGKILL)
    for _ in range(20):
        same(ask(1, "m"), ("m", ids["worker-2"]), "model and node")
    t.read(r'the process "worker-1" was killed by signal 9; the others go on')
    os.write(t.fd, b"\x03")
    t.ends(0)
    same(left(t.folder), [], "what is left in TMPDIR")


def test_the_users_own_options_do_not_reach_the_nodes(run):
    folder, env = place(run, "env")
    own = {"OCF_PORT": "1", "OF_TCPPORT": "1", "XDG_CONFIG_HOME": "/nonexistent", "OCF_LOG_LEVEL": "nonsense"}
    status, _, err = finish([run.ocf, "dev", *FAST], env={**env, **own}, cwd=folder)
    same(status, 0, f"exit status ({err})")


def test_bad_usage_is_told(run):
    folder, env = place(run, "usage")
    for args in (["--nodes", "1"], ["--nonsense"], ["--once", "--stay"]):
        status, out, err = finish([run.ocf, "dev", *args], env=env, cwd=folder)
        same(status, 2, f"exit status of {args}")
        expect(args[0] in err, err)


CASES = [v for k, v in list(globals().items()) if k.startswith("test_")]
