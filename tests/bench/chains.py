"""The processes under test: nginx as the service, and the two chains that lead to it.

Everything listens on 127.0.0.1, on ports found free, with its files in one temporary folder. A process
started here is killed by close(), or by the kernel when this program dies.
"""
import ctypes
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

GIB = 1 << 30
ANSWER = '{"ok":true}'  # 11 bytes

NGINX = """
daemon off; master_process off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/nginx.err;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s; default_type application/json;
  client_body_buffer_size 512k; client_max_body_size 1m; sendfile on; tcp_nopush on; tcp_nodelay on;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
  uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ return 200 '{answer}'; }}
    # Mirroring makes nginx read the whole body; only then is POST to a file refused, which answers.
    location /post {{ mirror /none; root {dir}; error_page 405 =200 @answer; }}
    location = /none {{ internal; return 204; }}
    location @answer {{ return 200 '{answer}'; }}
    location /bulk {{ root {dir}; }}
  }}
}}
"""

HAPROXY = """
global
  nbthread 2
  maxconn 5000
  ssl-server-verify required
defaults
  mode http
  option http-no-delay
  option http-keep-alive
  timeout connect 10s
  timeout client 1h
  timeout server 1h
  timeout http-keep-alive 1h
frontend in
  bind 127.0.0.1:{port} {bind}
  default_backend out
backend out
  http-reuse always
  server s 127.0.0.1:{to} pool-max-conn -1 pool-purge-delay 1h {server}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def limits():
    """Lets this program and its children hold as many files as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < 8192:
        raise SystemExit(f"bench: needs 8192 open files, the hard limit is {hard}")


def cpu_ns(pid):
    """CPU time of all threads: the scheduler's own count where there is one, else clock ticks."""
    try:
        total = 0
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0])
        return total
    except FileNotFoundError:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 10**9 // os.sysconf("SC_CLK_TCK")


def status_bytes(pid, field):
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    return 0


def reset_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w") as f:
        f.write("5")


class Stage:
    """A temporary folder, the service, and the processes that run."""

    def __init__(self, ocf):
        self.ocf = os.path.abspath(ocf)
        self.dir = tempfile.mkdtemp(prefix="ocf-bench-")
        self.children = []
        self.n_homes = 0

    def close(self):
        for child in list(self.children):
            self.stop(child)
        shutil.rmtree(self.dir, ignore_errors=True)

    def spawn(self, args, **more):
        child = subprocess.Popen(args, preexec_fn=die_with_parent, stdin=subprocess.DEVNULL, **more)
        self.children.append(child)
        return child

    def stop(self, child):
        child.kill()
        child.wait()
        if child.stdout:
            child.stdout.close()
        self.children.remove(child)

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def log(self, name):
        return open(os.path.join(self.dir, name), "a")

    def nginx(self, bulk_bytes):
        port = free_port()
        with open(os.path.join(self.dir, "bulk"), "wb") as f:
            f.truncate(bulk_bytes)
        self.file("post", "")
        path = self.file("nginx.conf", NGINX.format(dir=self.dir, port=port, answer=ANSWER))
        with self.log("nginx.out") as log:
            child = self.spawn(["nginx", "-p", self.dir, "-c", path], stdout=log, stderr=log)
        wait_for(port, "/", child)
        return child, port

    def source(self, tools, events, interval_ms):
        child = self.spawn([os.path.join(tools, "bench_source"), str(events), str(interval_ms)],
                           stdout=subprocess.PIPE, text=True)
        return child, int(child.stdout.readline())

    def env(self, home):
        """A user of its own: no setting of the caller's reaches the nodes."""
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("OCF_", "OF_", "XDG_"))}
        return {**keep, "HOME": home}

    def home(self):
        self.n_homes += 1
        path = os.path.join(self.dir, f"home{self.n_homes}")
        os.mkdir(path)
        return path

    def node_args(self, *more):
        return [self.ocf, "start", "--port", str(free_port()), "--listen", f"/ip4/127.0.0.1/tcp/{free_port()}", *more]

    def node(self, *more, home=None):
        """A node with default options; its log goes to a file. Returns it and its ready line."""
        home = home or self.home()
        with open(os.path.join(home, "log"), "a") as log:
            child = self.spawn(self.node_args(*more), stdout=subprocess.PIPE, stderr=log, text=True,
                               env=self.env(home))
        line = child.stdout.readline()
        if not line:
            with open(os.path.join(home, "log")) as f:
                raise RuntimeError("ocf did not start: " + f.read()[-2000:])
        return child, json.loads(line)

    def certificates(self):
        """A CA and one certificate for each side: what the two proxies prove themselves with."""
        def run(*args):
            subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=self.dir, timeout=60)

        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        run("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=bench-ca")
        for name in ("head", "worker"):
            run("req", *new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}",
                "-addext", f"subjectAltName=DNS:{name}")
            run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-copy_extensions", "copy", "-days", "2", "-out", f"{name}.crt")
            with open(f"{self.dir}/{name}.crt") as a, open(f"{self.dir}/{name}.key") as b:
                self.file(f"{name}.pem", a.read() + b.read())

    def haproxy(self, name, port, to, bind="", server=""):
        path = self.file(f"haproxy-{name}-{port}.cfg", HAPROXY.format(port=port, to=to, bind=bind, server=server))
        with self.log(f"haproxy-{name}.log") as log:
            return self.spawn(["haproxy", "-db", "-f", path], stdout=log, stderr=log)


def wait_for(port, path, child, limit_s=15):
    """Until the answer is 200; RuntimeError when that takes longer, or the process ends."""
    url, why, until = f"http://127.0.0.1:{port}{path}", "", time.monotonic() + limit_s
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError as e:
            why = str(e)
        if child.poll() is not None:
            raise RuntimeError(f"{child.args[0]} ended with {child.returncode}")
        time.sleep(0.05)
    raise RuntimeError(f"{url} does not answer: {why}")


class Chain:
    """Two processes in a row before a service: `port` and `prefix` are where clients go."""

    def __init__(self, stage, name):
        self.stage, self.name, self.prefix, self.processes = stage, name, "", {}

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{self.prefix}{path}"

    def close(self):
        for child in self.processes.values():
            self.stage.stop(child)

    def cpu(self):
        return {role: cpu_ns(p.pid) for role, p in self.processes.items()}

    def memory(self, field):
        return {role: status_bytes(p.pid, field) for role, p in self.processes.items()}

    def reset_peaks(self):
        for p in self.processes.values():
            reset_peak(p.pid)


class Ocf(Chain):
    def __init__(self, stage, service_port, *worker_options):
        super().__init__(stage, "ocf")
        worker, ready = stage.node("--service.name", "llm", "--service.port", str(service_port), *worker_options)
        self.processes["worker"] = worker
        head, self.ready = stage.node("--bootstrap.static", ready["p2p"][0])
        self.processes["head"] = head
        self.port = int(self.ready["http"].rpartition(":")[2])
        self.prefix = f"/v1/p2p/{ready['peer_id']}/v1/_service/llm"
        wait_for(self.port, self.prefix + "/", head)


class Haproxy(Chain):
    def __init__(self, stage, service_port):
        super().__init__(stage, "haproxy")
        self.port, middle, d = free_port(), free_port(), stage.dir
        tls = f"ssl verify required ca-file {d}/ca.pem"
        self.processes["worker"] = stage.haproxy(
            "worker", middle, service_port, bind=f"{tls} crt {d}/worker.pem ssl-min-ver TLSv1.3")
        self.processes["head"] = stage.haproxy(
            "head", self.port, middle,
            server=f"{tls} crt {d}/head.pem ssl-min-ver TLSv1.3 sni str(worker) verifyhost worker")
        wait_for(self.port, "/", self.processes["head"])


class Direct(Chain):
    """No proxy at all: what client and service reach by themselves."""

    def __init__(self, stage, service_port):
        super().__init__(stage, "direct")
        self.port = service_port
