"""Figures, table, costs and chart of bench/architectures.py. As a program: `counts DEPLOYMENT` prints what the
cloud of AWS_ENDPOINT_URL has done so far, `markdown architectures.json` the tables of docs/architectures.md."""
import datetime
import json
import os
import re
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
CAMERAS = (1, 1000, 1000000)
FRAMES_A_MONTH = 2 * 3600 * 24 * 30  # two a second, day and night
TARGETS = {("none", "C"): {"p50": 15}, ("none", "D"): {"p50": 10}, ("none", "E"): {"p50": 8},
           ("40 ms, 20 Mbit/s", "C"): {"p50": 110}, ("40 ms, 20 Mbit/s", "D"): {"p50": 65, "p99": 100}}
MEMORY_GB = 1769 / 1024


def counts(deployment):
    """Requests by service (/metrics), invocations and billed milliseconds (CloudWatch)."""
    import boto3
    found = {}
    with urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + "/metrics") as answer:
        for service, number in re.findall(
                r'ken_cloud_requests_total\{service="([^"]*)"[^}]*\} (\d+)', answer.read().decode()):
            found[service] = found.get(service, 0) + int(number)
    client, now = boto3.client("cloudwatch", endpoint_url=os.environ["AWS_ENDPOINT_URL"]), time.time()
    for function in (deployment["function"], deployment["function"] + "-video"):
        for metric in ("Invocations", "Duration", "Errors"):
            points = client.get_metric_statistics(
                Namespace="AWS/Lambda", MetricName=metric, Period=3600, Statistics=["Sum"],
                Dimensions=[{"Name": "FunctionName", "Value": function}],
                StartTime=now - 7200, EndTime=now + 60)["Datapoints"]
            found[metric] = found.get(metric, 0) + sum(point["Sum"] for point in points)
    return found


def difference(before, after):
    return {name: after[name] - before.get(name, 0) for name in after}


def percentile(values, share):
    """Nearest rank: a value that was measured."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)] if ordered else None


def spread(values):
    return {"p50": percentile(values, 50), "p95": percentile(values, 95),
            "p99": percentile(values, 99), "min": min(values, default=None),
            "max": max(values, default=None)}


def figures(frames, footers, counted, sent):
    """Of one architecture on one network."""
    answered = [f for f in frames if f.get("latency_ms") and not f.get("lost")]
    sampled = len(frames) if "sampled" not in footers[0] else sum(f["sampled"] for f in footers)
    after = [f["after_function_ms"] for f in answered if "after_function_ms" in f]
    verdicts = [f.get("verdict") for f in answered]
    a_frame = {name: value / max(1, sampled) for name, value in counted.items()}
    return {
        "frames": sampled, "answers": len(answered), "lost": sampled - len(answered),
        "right": verdicts.count("right"), "wrong": verdicts.count("wrong"),
        "unknown": verdicts.count("unknown"),
        "latency_ms": spread([f["latency_ms"]["total"] for f in answered]),
        "after_function_ms": spread(after) if after else None,
        "first_answer_s": footers[0].get("first_answer_s"), "capture_s": footers[0].get("capture_s"),
        "sent_bytes": {"device": sent[0] and sent[0] / sampled, "cloud": sent[1] and sent[1] / sampled},
        "a_frame": {"function_ms": a_frame["Duration"], "invocations": a_frame["Invocations"],
                    "errors": a_frame["Errors"],
                    "requests": {name: value for name, value in sorted(a_frame.items())
                                 if name[0].islower() and value > 0}},
    }


# What is billed for a frame, by architecture: services call each other without a request of ours, so what is
# counted is checked against this, not taken for it (docs/architectures.md).
def bill(way, result, segment_frames=4):
    ms, calls = result["a_frame"]["function_ms"], result["a_frame"]["invocations"]
    one = {"lambda_request": calls, "lambda_gb_second": ms / 1000 * MEMORY_GB}
    read = result["a_frame"]["requests"].get("dynamodb", 0)
    one["dynamodb_read"] = read
    if way in "AB":
        one["s3_put"] = one["s3_get"] = 1 / segment_frames if way == "A" else 1
        one["sns_publish"] = one["sns_delivery"] = 1
        one["sqs_request"] = result["a_frame"]["requests"].get("sqs", 0)
    else:
        one["s3_put"] = 1
        one["s3_get"] = 1 if way == "C" else 0
        one["api_request"] = 0 if way == "E" else 1
    out = result["sent_bytes"]["cloud"]
    one["transfer_out_gb"] = (out or 0) / 1e9
    return one


def dollars(one, prices):
    return sum(prices["dollars"][name] * value for name, value in one.items())


def print_line(network, way, result):
    latency = result["latency_ms"]
    print(f"{network:28} {way}  p50 {latency['p50'] or 0:8.1f}  p95 {latency['p95'] or 0:8.1f}  "
          f"p99 {latency['p99'] or 0:8.1f} ms  {result['answers']}/{result['frames']} answered, "
          f"{result['right']} right, {result['wrong']} wrong, {result['unknown']} unknown; function "
          f"{result['a_frame']['function_ms']:.1f} ms a frame; "
          f"{(result['sent_bytes']['device'] or 0) / 1000:.1f} KB sent", flush=True)


def add_costs(results, prices):
    """With the bytes of a network where they were counted: loopback has none."""
    counted = next((r for n, r in results.items() if r and n != "none"), None)
    for ways in filter(None, results.values()):
        for way, result in ways.items():
            if counted and way in counted and not result["sent_bytes"]["cloud"]:
                result = {**result, "sent_bytes": counted[way]["sent_bytes"]}
            one = bill(way, result)
            cost = dollars(one, prices)
            ways[way]["billed_a_frame"] = one
            ways[way]["dollars_a_million_frames"] = cost * 1e6
            ways[way]["dollars_a_month"] = {str(n): cost * FRAMES_A_MONTH * n for n in CAMERAS}


def check(results):
    """What went wrong, and which targets were missed."""
    failures, missed = [], []
    for network, ways in results.items():
        for way, result in (ways or {}).items():
            if result["lost"] or result["wrong"] or not result["right"]:
                failures.append(f"{network}, {way}: {result['lost']} lost, {result['wrong']} wrong")
            for name, limit in TARGETS.get((network, way), {}).items():
                if result["latency_ms"][name] > limit:
                    missed.append(f"{network}, {way}: {name} {result['latency_ms'][name]:.1f} ms, "
                                  f"target {limit}")
    return failures, missed


def chart(results, ways):
    """Bars of p50 with p99 as a line, a panel a network, on a scale of its own."""
    shown = [(n, r) for n, r in results.items() if r]
    width, bar, panel = 720, 22, 60 + 22 * len(ways)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{panel * len(shown)}" '
           'font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>']
    for i, (network, result) in enumerate(shown):
        top, most = i * panel, max(r["latency_ms"]["p99"] for r in result.values())
        out.append(f'<text x="8" y="{top + 22}" font-weight="bold">network: {network}; capture to '
                   'answer in ms: p50 (bar), p99 (line)</text>')
        for j, (way, name) in enumerate(ways.items()):
            if way not in result:
                continue
            y, latency = top + 34 + j * bar, result[way]["latency_ms"]
            long, line = (420 * latency[p] / most for p in ("p50", "p99"))
            out.append(f'<text x="8" y="{y + 14}">{way} {name}</text>'
                       f'<rect x="180" y="{y + 3}" width="{long:.1f}" height="{bar - 8}" fill="#3b7dd8"/>'
                       f'<line x1="180" x2="{180 + line:.1f}" y1="{y + 10}" y2="{y + 10}" stroke="#333"/>'
                       f'<text x="{186 + line:.1f}" y="{y + 14}">{latency["p50"]:.1f} / '
                       f'{latency["p99"]:.1f}</text>')
    return "\n".join(out + ["</svg>"]) + "\n"


def write(results, ways, folder):
    with open(os.path.join(HERE, "prices.json"), encoding="utf-8") as file:
        prices = json.load(file)
    add_costs(results, prices)
    failures, missed = check(results)
    with open("/proc/loadavg", encoding="utf-8") as file:
        load = file.read().split()[0]
    whole = {"date": datetime.date.today().isoformat(), "cores": os.cpu_count(),
             "load_at_the_end": float(load), "prices": prices["date"], "networks": results,
             "failures": failures, "targets_missed": missed}
    with open(os.path.join(folder, "architectures.json"), "w", encoding="utf-8") as file:
        json.dump(whole, file, indent=1)
    with open(os.path.join(folder, "architectures.svg"), "w", encoding="utf-8") as file:
        file.write(chart(results, ways))
    for network, result in results.items():
        for way in result or {}:
            print(f"{network:28} {way}  {result[way]['dollars_a_million_frames']:8.2f} $ a million "
                  "frames")
    for line in failures:
        print("FAILED:", line)
    for line in missed:
        print("target missed:", line)
    return 1 if failures else 0


def markdown(whole):
    """The tables of docs/architectures.md."""
    out = [f"{whole['date']}, {whole['cores']} cores, load {whole['load_at_the_end']} at the end.", "",
           "| network | | p50 ms | p95 | p99 | function ms a frame | sent, bytes a frame | right |",
           "|---|---|---|---|---|---|---|---|"]
    for network, ways in whole["networks"].items():
        for way, r in (ways or {}).items():
            ms, sent = r["latency_ms"], r["sent_bytes"]["device"]
            out.append(f"| {network} | {way} | {ms['p50']:.1f} | {ms['p95']:.1f} | {ms['p99']:.1f} | "
                       f"{r['a_frame']['function_ms']:.1f} | {f'{sent:,.0f}' if sent else ''} | "
                       f"{r['right']} of {r['frames']} |")
    out += ["", "| | a million frames | 1 camera, a month | 1,000 | 1,000,000 |", "|---|---|---|---|---|"]
    ways = next(w for n, w in reversed(list(whole["networks"].items())) if w)
    for way, r in ways.items():
        month = r["dollars_a_month"]
        out.append(f"| {way} | {r['dollars_a_million_frames']:.2f} $ | " +
                   " | ".join(f"{month[str(n)]:,.0f} $" for n in CAMERAS) + " |")
    return "\n".join(out)


def main(what, path):
    with open(path, encoding="utf-8") as text:
        document = json.load(text)
    print(json.dumps(counts(document)) if what == "counts" else markdown(document))


if __name__ == "__main__":
    main(*sys.argv[1:])
