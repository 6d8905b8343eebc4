"""Where nodes live: network namespaces behind a switch that can be cut, or simply this machine's loopback.

A Place hands out sockets that belong to its network, whatever the calling thread's is: sockets stay in the
namespace in which they are made, so one thread per place enters it and makes them.
"""

import ctypes
import os
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

P2P_PORT, HTTP_PORT, SERVICE_PORT = 43905, 8092, 9000
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class NetError(Exception):
    """The networks cannot be made, in words."""


def ip(*words, stdin=None):
    p = subprocess.run(["ip", *map(str, words)], input=stdin, capture_output=True, text=True)
    if p.returncode != 0:
        raise NetError(f"ip {' '.join(map(str, words))}: {p.stderr.strip() or p.returncode}")


class Place:
    """One network of one node."""

    def __init__(self, address, namespace=None):
        self.address, self.namespace = address, namespace
        self.thread = ThreadPoolExecutor(1, initializer=self._enter)

    def _enter(self):
        if self.namespace is None:
            return
        with open(f"/run/netns/{self.namespace}", "rb") as f:
            if _libc.setns(f.fileno(), CLONE_NEWNET) != 0:
                raise NetError(f"setns {self.namespace}: {os.strerror(ctypes.get_errno())}")

    def command(self, words):
        return words if self.namespace is None else ["ip", "netns", "exec", self.namespace, *words]

    def connect(self, port, timeout):
        """A connection to 127.0.0.1:port of this place."""
        return self.thread.submit(socket.create_connection, ("127.0.0.1", port), timeout).result()

    def listen(self):
        """A listener on 127.0.0.1: SERVICE_PORT in a namespace, any port on the loopback."""
        def make():
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", SERVICE_PORT if self.namespace else 0))
            s.listen(128)
            return s
        return self.thread.submit(make).result()

    def close(self):
        self.thread.shutdown(wait=False)


class Loopback:
    """All nodes on 127.0.0.1, with ports of the system's choice. Nothing can be cut."""

    can_cut = False

    def place(self, _index):
        return Place("127.0.0.1")

    def close(self):
        pass


class Switch:
    """Namespaces with addresses 10.77.0.x, each wired to bridges in a namespace of their own.

    All nodes are on bridge br0. cut() moves some of them to other bridges, which are joined to nothing, so
    that packets between the groups are lost and no side is told; heal() moves them back.
    """

    can_cut = True
    GROUPS = 4

    def __init__(self):
        self.prefix = f"ocfmesh{os.getpid()}"
        self.hub = f"{self.prefix}-hub"
        self.made, self.moved = [], set()
        if os.geteuid() != 0:
            raise NetError("network namespaces need root; --loopback runs without them, and without the cells that cut links")
        self._sweep()
        ip("netns", "add", self.hub)
        self.made.append(self.hub)
        lines = ["link set lo up"]
        for k in range(self.GROUPS):
            lines += [f"link add br{k} type bridge forward_delay 0", f"link set br{k} up"]
        ip("-n", self.hub, "-batch", "-", stdin="\n".join(lines) + "\n")

    @staticmethod
    def _sweep():
        """Takes away what a killed run has left."""
        for name in os.listdir("/run/netns") if Path("/run/netns").is_dir() else ():
            pid = name.removeprefix("ocfmesh").partition("-")[0]
            if name.startswith("ocfmesh") and pid.isdigit() and not Path(f"/proc/{pid}").exists():
                subprocess.run(["ip", "netns", "del", name], capture_output=True)

    def place(self, index):
        name, address = f"{self.prefix}-{index}", f"10.77.{index // 250}.{index % 250 + 1}"
        ip("netns", "add", name)
        self.made.append(name)
        ip("-n", self.hub, "link", "add", f"v{index}", "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("-n", self.hub, "-batch", "-", stdin=f"link set v{index} master br0\nlink set v{index} up\n")
        ip("-n", name, "-batch", "-", stdin=f"link set lo up\naddr add {address}/16 dev eth0\nlink set eth0 up\n")
        place = Place(address, name)
        place.index = index
        return place

    def cut(self, *groups):
        """Each group of places, from the second on, is alone on a bridge of its own."""
        for k, group in enumerate(groups):
            for place in group:
                ip("-n", self.hub, "link", "set", f"v{place.index}", "master", f"br{k}")
                self.moved.add(place.index)

    def heal(self):
        for index in self.moved:
            ip("-n", self.hub, "link", "set", f"v{index}", "master", "br0")
        self.moved.clear()

    def close(self):
        for name in reversed(self.made):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        self.made.clear()
