"""Streams completions from an OpenAI server, and writes what it measured for each concurrency.

Into client.<index>.log goes one JSON object: successful_requests, failed_requests and metrics, times in milliseconds.
Lines before it say why requests failed. It uses nothing but the standard library, so that it runs wherever the engine
does.

A stream that ends without its last line has failed, whatever its status: that is all that one sees of a router whose
worker has died.
"""

import argparse
import http.client
import json
import random
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field


# Each is one token in the usual vocabularies, with the space before it.
WORDS = """time year people way day man thing woman life child world school state family student group country problem
hand part place case week company system program question work government number night point home water room""".split()


@dataclass
class Answer:
    """What one request led to; times in seconds."""

    inputs: int
    fault: str = ""
    tokens: int = 0
    first: float = 0.0  # until the first token
    took: float = 0.0  # until the last
    gaps: list = field(default_factory=list)  # between tokens
    workers: dict = field(default_factory=dict)  # that served it, as the frontend tells


def ask(options, length):
    answer = Answer(inputs=length)
    body = {
        "model": options.model, "prompt": prompt(options.prompts, length), "stream": True,
        "stream_options": {"include_usage": True}, "max_tokens": options.output, "ignore_eos": True,
    }
    if options.served_by:
        body["nvext"] = {"extra_fields": ["worker_id"]}
    connection = http.client.HTTPConnection(options.address, timeout=options.timeout)
    try:
        begun = time.perf_counter()
        connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            answer.fault = "status %d: %s" % (response.status, response.read(300).decode(errors="replace"))
        else:
            read(options, response, begun, answer)
    except (OSError, http.client.HTTPException, ValueError) as error:
        answer.fault = "%s: %s" % (type(error).__name__, error)
    finally:
        connection.close()
    return answer


def prompt(kind, length):
    if kind == "text":  # about so many tokens; the server says how many
        return " ".join(random.choice(WORDS) for _ in range(length))
    return [random.randrange(1000, 2000) for _ in range(length)]


def read(options, response, begun, answer):
    """Reads a stream to its end."""
    done, last, usage = False, begun, None
    for line in response:
        if not line.startswith(b"data:"):
            continue
        text = line[5:].strip()
        if text == b"[DONE]":
            done = True
            break
        event = json.loads(text)
        if "error" in event:  # an error in the stream comes with status 200
            answer.fault = str(event["error"])
            return
        usage = event.get("usage") or usage
        answer.workers = (event.get("nvext") or {}).get("worker_id") or answer.workers
        if any(choice.get("text") for choice in event.get("choices", [])):
            now = time.perf_counter()
            if answer.tokens:
                answer.gaps.append(now - last)
            else:
                answer.first = now - begun
            last, answer.tokens = now, answer.tokens + 1
    answer.took = last - begun
    if usage:  # an event may bring several tokens
        answer.inputs, answer.tokens = usage["prompt_tokens"], usage["completion_tokens"]
    if not done:
        answer.fault = "the stream ended early"
    elif not answer.first:
        answer.fault = "no token came"
    elif usage and answer.tokens < options.output:
        answer.fault = "only %d of %d tokens came" % (answer.tokens, options.output)


def measure(options, concurrency, out):
    """Measures one concurrency, and tells whether every request succeeded."""
    random.seed(concurrency)
    low = max(1, int(options.input * (1 - options.ratio)))
    lengths = [random.randint(low, options.input) for _ in range(concurrency * options.rounds)]
    begun = time.perf_counter()
    with ThreadPoolExecutor(concurrency) as pool:
        answers = list(pool.map(lambda n: ask(options, n), lengths))
    took = time.perf_counter() - begun
    good = [a for a in answers if not a.fault]
    for fault in sorted({a.fault for a in answers if a.fault})[:5]:
        print("request failed:", fault, file=out)
    result = {
        "successful_requests": len(good), "failed_requests": len(answers) - len(good), "metrics": metrics(good, took),
        "served_by": {kind: served_by(good, kind) for kind in ("prefill", "decode")},
    }
    print(json.dumps(result), file=out, flush=True)
    return len(good) == len(answers)


def metrics(good, took):
    tokens = sum(a.tokens for a in good)
    per_token = [(a.took - a.first) / (a.tokens - 1) for a in good if a.tokens > 1]
    found = {
        "seq_throughput": len(good) / took, "token_throughput": tokens / took,
        "total_token_throughput": (tokens + sum(a.inputs for a in good)) / took,
        "user_throughput": statistics.mean(a.tokens / a.took for a in good) if good else 0.0,
    }
    for name, values in (
        ("ttft", [a.first for a in good]), ("tpot", per_token), ("itl", [g for a in good for g in a.gaps]),
        ("e2el", [a.took for a in good]),
    ):
        values = sorted(values) or [0.0]
        found["mean_" + name] = 1000 * statistics.mean(values)
        found["median_" + name] = 1000 * statistics.median(values)
        found["p99_" + name] = 1000 * values[min(len(values) - 1, int(0.99 * len(values)))]
    return found


def served_by(good, kind):
    """The workers of a kind that served requests, as far as the frontend tells."""
    return sorted({str(a.workers[kind + "_worker_id"]) for a in good if kind + "_worker_id" in a.workers})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind in (
        ("address", str), ("model", str), ("points", str), ("rounds", int), ("input", int), ("output", int),
        ("ratio", float), ("timeout", float),
    ):
        parser.add_argument("--" + name, type=kind, required=True)
    parser.add_argument("--prompts", choices=["ids", "text"], default="ids", help="what prompts are made of")
    parser.add_argument("--served-by", action="store_true", help="ask NVIDIA Dynamo which workers served a request")
    options, fine = parser.parse_args(), True
    for index, concurrency in enumerate(options.points.split()):
        with open("client.%d.log" % index, "w") as out:
            fine = measure(options, int(concurrency), out) and fine
        with open("client.%d.log" % index) as log:
            print(log.read(), end="", flush=True)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
