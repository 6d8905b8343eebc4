"""Raw figures as CSV; medians, ratios and goals as Markdown."""
import csv
import os
import platform
import re
import statistics
import subprocess
from collections import defaultdict

SIDES = ("haproxy", "ocf")


class Results:
    """Every figure with its round, kept in a CSV file as it comes."""

    def __init__(self, path):
        self.values = defaultdict(dict)  # (cell, metric, chain) -> {round: value}
        self.failures = []
        self.file = open(path, "w", newline="")
        self.csv = csv.writer(self.file)
        self.csv.writerow(("round", "cell", "chain", "metric", "value"))

    def add(self, round_number, cell, chain, metrics):
        for metric, value in metrics.items():
            self.values[cell, metric, chain][round_number] = value
            self.csv.writerow((round_number, cell, chain, metric, f"{value:.6g}"))
        self.file.flush()

    def fail(self, round_number, cell, chain, why):
        self.failures.append(f"round {round_number}, {cell}, {chain}: {why}")
        self.csv.writerow((round_number, cell, chain, "failed", why))
        self.file.flush()

    def median(self, cell, metric, chain="ocf"):
        got = self.values.get((cell, metric, chain))
        return statistics.median(got.values()) if got else None

    def ratio(self, cell, metric):
        """The median over the rounds of (ocf / haproxy) within one round, or None."""
        theirs, ours = (self.values.get((cell, metric, s), {}) for s in SIDES)
        each = [ours[r] / theirs[r] for r in ours if theirs.get(r)]
        return statistics.median(each) if each else None


def number(value, digits=3):
    """About three significant digits, without an exponent."""
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


# Title, metric, factor: the rows of each table.
REQUEST_ROWS = [
    ("requests/s", "req_per_s", 1), ("p50, ms", "p50_us", 1e-3), ("p90, ms", "p90_us", 1e-3),
    ("p99, ms", "p99_us", 1e-3), ("CPU µs/request, both", "cpu_us_per_req", 1),
    ("- head", "cpu_us_per_req_head", 1), ("- worker", "cpu_us_per_req_worker", 1),
    ("peak RSS head, MB", "peak_rss_head", 1e-6), ("peak RSS worker, MB", "peak_rss_worker", 1e-6),
]
BULK_ROWS = [
    ("GB/s", "gb_per_s", 1), ("CPU µs/MB, both", "cpu_us_per_mb", 1), ("- head", "cpu_us_per_mb_head", 1),
    ("- worker", "cpu_us_per_mb_worker", 1), ("peak RSS head, MB", "peak_rss_head", 1e-6),
    ("peak RSS worker, MB", "peak_rss_worker", 1e-6),
]
STREAM_ROWS = [
    ("transit p50, ms", "transit_p50_us", 1e-3), ("transit p90, ms", "transit_p90_us", 1e-3),
    ("transit p99, ms", "transit_p99_us", 1e-3), ("first event p50, ms", "first_p50_us", 1e-3),
    ("first event p99, ms", "first_p99_us", 1e-3), ("complete streams", "complete", 1),
    ("cut streams", "cut", 1), ("CPU µs/event, both", "cpu_us_per_event", 1),
    ("KB/stream, head", "rss_per_stream_head", 1e-3), ("KB/stream, worker", "rss_per_stream_worker", 1e-3),
]


def goals(bulk):
    """(what, text of the goal, cell, metric, kind, bound): kind `ratio` or `value`; min or max."""
    return [
        ("requests/s, c = 50", "≥ 1.25 × HAProxy", "get c=50", "req_per_s", "ratio", "min", 1.25),
        ("CPU per request, c = 50", "≤ 0.8 × HAProxy", "get c=50", "cpu_us_per_req", "ratio", "max", 0.8),
        ("p50, c = 1", "≤ 1.0 × HAProxy", "get c=1", "p50_us", "ratio", "max", 1.0),
        ("200 KB POST, requests/s", "≥ 1.0 × HAProxy", "post 200 KB c=8", "req_per_s", "ratio", "min", 1.0),
        ("bulk download, GB/s", "≥ 1.6 × HAProxy", f"download {bulk}", "gb_per_s", "ratio", "min", 1.6),
        ("bulk upload, GB/s", "≥ 1.6 × HAProxy", f"upload {bulk}", "gb_per_s", "ratio", "min", 1.6),
        ("chunk transit p99", "≤ 1.0 × HAProxy", "streams", "transit_p99_us", "ratio", "max", 1.0),
        ("memory per SSE stream, head", "≤ 20 KB", "streams", "rss_per_stream_head", "value", "max", 20e3),
        ("memory per SSE stream, worker", "≤ 20 KB", "streams", "rss_per_stream_worker", "value", "max", 20e3),
        ("idle RSS, head", "≤ 10 MB", "idle", "idle_rss_head", "value", "max", 10e6),
        ("idle RSS, worker", "≤ 10 MB", "idle", "idle_rss_worker", "value", "max", 10e6),
        ("exec to ready line, key present", "≤ 50 ms", "start", "start_ms", "value", "max", 50),
        ("stripped binary", "≤ 6 MB", "binary", "binary_bytes", "value", "max", 6e6),
    ]


def goal_text(metric, value):
    if value is None:
        return "-"
    if metric == "start_ms":
        return f"{value:.1f} ms"
    return f"{value / 1e6:.2f} MB" if value >= 1e6 else f"{value / 1e3:.1f} KB"


def goal_lines(results, bulk):
    yield "| goal | asked | measured | |"
    yield "|---|---|---|---|"
    for what, asked, cell, metric, kind, side, bound in goals(bulk):
        value = results.ratio(cell, metric) if kind == "ratio" else results.median(cell, metric)
        text = ("-" if value is None else f"{value:.2f} ×") if kind == "ratio" else goal_text(metric, value)
        if value is None:
            verdict = "not measured"
        else:
            verdict = "met" if (value >= bound if side == "min" else value <= bound) else "**missed**"
        yield f"| {what} | {asked} | {text} | {verdict} |"


def table(results, cells, rows, direct=False):
    yield "| | | HAProxy | OCF | OCF / HAProxy |" + (" direct |" if direct else "")
    yield "|---|---|---|---|---|" + ("---|" if direct else "")
    for cell in cells:
        for i, (title, metric, factor) in enumerate(rows):
            theirs, ours = (results.median(cell, metric, s) for s in SIDES)
            if theirs is None and ours is None:
                continue
            ratio = results.ratio(cell, metric)
            line = [cell if i == 0 else "", title, number(theirs and theirs * factor), number(ours and ours * factor),
                    "-" if ratio is None else f"{ratio:.2f}"]
            if direct:
                plain = results.median(cell, metric, "direct")
                line.append(number(plain and plain * factor))
            yield "| " + " | ".join(line) + " |"


def single_lines(results):
    yield "| | OCF | HAProxy |"
    yield "|---|---|---|"
    rows = [("exec to ready line, ms", "start", "start_ms", 1), ("stripped binary, MB", "binary", "binary_bytes", 1e-6),
            ("idle RSS head, MB", "idle", "idle_rss_head", 1e-6),
            ("- of it anonymous", "idle", "idle_anon_head", 1e-6),
            ("idle RSS worker, MB", "idle", "idle_rss_worker", 1e-6),
            ("- of it anonymous", "idle", "idle_anon_worker", 1e-6),
            ("Noise handshakes/s, both sides on one core", "handshakes", "handshakes_per_s", 1),
            ("CPU µs per handshake, both sides", "handshakes", "cpu_us_per_handshake", 1)]
    for title, cell, metric, factor in rows:
        ours, theirs = results.median(cell, metric), results.median(cell, metric, "haproxy")
        yield f"| {title} | {number(ours and ours * factor)} | {number(theirs and theirs * factor)} |"


def first_line(args):
    try:
        done = subprocess.run(args, capture_output=True, text=True, timeout=10)
        return (done.stdout or done.stderr).strip().splitlines()[0]
    except (OSError, IndexError):
        return f"{args[0]}: not there"


def machine(ocf):
    with open("/proc/cpuinfo") as f:
        model = re.search(r"model name\s*: (.*)", f.read())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    haproxy = re.search(r"version (\S+)", first_line(["haproxy", "-v"]))
    return [
        f"- Machine: {os.cpu_count()} x {model.group(1) if model else platform.machine()}, {memory >> 30} GiB, "
        f"Linux {platform.release()}",
        f"- HAProxy {haproxy.group(1) if haproxy else '?'}, {first_line(['nginx', '-v']).partition(': ')[2]}, "
        f"{first_line(['openssl', 'version']).split(' (')[0]}, {first_line(['curl', '-V']).split(' (')[0]}",
        f"- {first_line([ocf, 'version'])}",
    ]


def markdown(results, options, cells, load, ocf):
    out = machine(ocf)
    out.append(f"- {options.rounds} interleaved rounds, {options.seconds} s a cell; load average {load[0]:.2f} before, "
               f"{load[1]:.2f} after; {options.streams} streams, {options.events} events each, "
               f"one every {options.interval_ms} ms")
    if options.quick:
        out.append("- **A quick run: the figures only show that everything works.**")
    if load[0] > 0.5:
        out.append("- **The machine was not idle when this began: do not trust the figures.**")
    out += ["", "## Goals", "", *goal_lines(results, options.bulk_name)]
    out += ["", "## Requests", "", *table(results, cells["requests"], REQUEST_ROWS)]
    out += ["", f"## Bulk, {options.bulk_name}", "", *table(results, cells["bulk"], BULK_ROWS, direct=True)]
    out += ["", "## Event streams", "", *table(results, cells["streams"], STREAM_ROWS)]
    out += ["", "## Start, size, handshakes", "", *single_lines(results)]
    if results.failures:
        out += ["", "## Failed measurements", "", *(f"- {f}" for f in results.failures)]
    return "\n".join(out) + "\n"
