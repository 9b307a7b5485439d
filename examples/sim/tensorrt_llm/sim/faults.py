"""Faults on demand: `SIM_FAULTS` says which role breaks, how and when.

Grammar: entries `ROLE[.RANK]:KIND[=ARG][@SECONDS]`, separated by `;`. ROLE may be `*`, `GEN_*` or `CTX_*`,
RANK may be `*` and is 0 when absent, SECONDS counts from the start of the process. README.md has the table of kinds.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections import namedtuple
from fnmatch import fnmatchcase

from tensorrt_llm.sim import ranks

VARIABLE = "SIM_FAULTS"

_STARTED = time.monotonic()  # imported first thing, so this is the start of the process

# The processes that faults act in: trtllm-serve, the benchmark client, the launcher of rank 0, the launcher of another
# rank, which plays the rank itself, and pytest.
SERVER, CLIENT, LAUNCHER, RANK, TEST = "server", "client", "launcher", "rank", "test"

_ANY = frozenset({SERVER, CLIENT, RANK})
_WORKING = frozenset({SERVER, CLIENT})

# What follows `KIND=` ("none", "optional" or "required"), and where the kind means something.
_KINDS = {
    "crash": ("optional", _ANY),
    "exit0": ("none", _ANY),
    "kill": ("none", _ANY),
    "ignore-term": ("none", _ANY),
    "slow-stop": ("required", _ANY),
    "orphans": ("required", _ANY),
    "flood": ("required", _ANY),
    "long-line": ("none", _ANY),
    "binary": ("none", _ANY),
    "oom": ("required", _ANY),
    "stall": ("none", _WORKING),
    "failed-requests": ("required", _WORKING),
    "hang": ("none", {SERVER}),
    "unready": ("none", {SERVER}),
    "unhealthy": ("none", {SERVER}),
    "zero-tokens": ("none", {SERVER}),
    "upstream-logs": ("none", {SERVER, LAUNCHER, TEST}),
    "launcher-stays": ("none", {LAUNCHER}),
    "slow-poll": ("none", {TEST}),
    "long-exception": ("none", {TEST}),
}

# Kinds that are an act at one moment, rather than a way to behave from then on.
_ACTS = frozenset({"crash", "exit0", "kill", "orphans", "flood", "long-line", "binary", "oom"})

Fault = namedtuple("Fault", "role rank kind argument delay")


class FaultError(ValueError):
    """SIM_FAULTS is malformed."""


def parse(text: str) -> list[Fault]:
    """Reads the whole of SIM_FAULTS; raises FaultError naming the entry that is wrong."""
    return [_parse_entry(entry.strip()) for entry in text.split(";") if entry.strip()]


def load(place: str, environ=os.environ) -> Faults:
    """Returns the faults of this process; ends it with code 2 when SIM_FAULTS is malformed."""
    try:
        faults = parse(environ.get(VARIABLE, ""))
    except FaultError as error:
        print(f"{VARIABLE}: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    role, rank = ranks.role(environ), str(ranks.rank(environ))
    mine = [f for f in faults if fnmatchcase(role, f.role) and f.rank in ("*", rank)]
    return Faults([f for f in mine if place in _KINDS[f.kind][1]])


class Faults:
    """The faults of one process."""

    def __init__(self, faults: list[Fault]):
        self._faults = faults
        self._requests = itertools.count(1)

    def active(self, kind: str) -> bool:
        """Says whether the process should now behave as `kind`."""
        return self._find(kind) is not None

    def planned(self, *kinds: str) -> bool:
        """Says whether the process is to behave as one of `kinds` at some time."""
        return any(fault.kind in kinds for fault in self._faults)

    def argument(self, kind: str) -> float:
        """Returns the argument of the active fault `kind`, or 0."""
        fault = self._find(kind)
        return fault.argument if fault else 0.0

    def take_failed_request(self) -> bool:
        """Says whether the request at hand is one of the first N that must fail."""
        count = self.argument("failed-requests")
        return count > 0 and next(self._requests) <= count  # next() is atomic: threads ask

    def stall_point(self):
        """Never returns once the process is to make no progress: whatever produces something passes here."""
        if self.active("stall"):
            wait_for_ever()

    def arm(self):
        """Says which faults this process has, and starts those that are acts."""
        for fault in self._faults:
            print(f"[sim] fault armed: {fault.kind} after {fault.delay:g} s", flush=True)
            if fault.kind in _ACTS:
                # Here, because idle ranks, of which there are dozens, do without.
                from tensorrt_llm.sim import fault_acts

                fault_acts.start(fault, _STARTED + fault.delay)

    def _find(self, kind: str) -> Fault | None:
        for fault in self._faults:
            if fault.kind == kind and time.monotonic() >= _STARTED + fault.delay:
                return fault
        return None


def wait_for_ever():
    """Blocks this thread."""
    threading.Event().wait()


def _parse_entry(entry: str) -> Fault:
    where, colon, what = entry.partition(":")
    if not colon:
        raise FaultError(f"{entry!r} is not ROLE[.RANK]:KIND[=ARG][@SECONDS]")
    role, dot, rank = where.partition(".")
    if not _places(role):
        raise FaultError(f"{entry!r}: {role!r} is not a role")
    if dot and not (rank.isdigit() or rank == "*"):
        raise FaultError(f"{entry!r}: {rank!r} is not a rank")
    what, at, seconds = what.partition("@")
    kind, equals, argument = what.partition("=")
    if kind not in _KINDS:
        raise FaultError(f"{entry!r}: unknown kind {kind!r}; known are {' '.join(_KINDS)}")
    rule, places = _KINDS[kind]
    if not places & _places(role, rank or "0"):
        raise FaultError(f"{entry!r}: {kind} means nothing for {where}")
    if rule == "required" and not equals:
        raise FaultError(f"{entry!r}: {kind} needs =ARG")
    if rule == "none" and equals:
        raise FaultError(f"{entry!r}: {kind} takes no argument")
    delay = _number(entry, seconds) if at else 0.0
    return Fault(role, rank or "0", kind, _number(entry, argument) if equals else None, delay)


def _places(role: str, rank: str = "*") -> set[str]:
    """Returns which processes a role has, or the given rank of it; none if it is no role."""
    server, _, index = role.partition("_")
    if role == "*":
        return {SERVER, CLIENT, LAUNCHER, RANK, TEST}
    if role == "DISAGG_SERVER":
        return {SERVER, TEST}
    if role == "BENCHMARK":
        return {CLIENT, TEST}
    if server not in ("GEN", "CTX") or not (index.isdigit() or index == "*"):
        return set()
    first, others = {SERVER, LAUNCHER, TEST}, {RANK}
    return first | others if rank == "*" else first if rank == "0" else others


def _number(entry: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise FaultError(f"{entry!r}: {text!r} is not a number") from None
    if not 0 <= number < float("inf"):
        raise FaultError(f"{entry!r}: {text!r} is out of range")
    return number
