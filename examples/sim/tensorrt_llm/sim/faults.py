"""Faults on demand: `SIM_FAULTS` says which role breaks, how and when.

Grammar: entries `ROLE[.RANK]:KIND[=ARG][@SECONDS]`, separated by `;`. ROLE may be `*`, `GEN_*` or `CTX_*`,
RANK may be `*` and is 0 when absent, SECONDS counts from the start of the process. README.md has the table of kinds.

A fault acts in the process that plays the role and rank: for rank 0 of GEN and CTX the trtllm-serve process,
for other ranks the llmapi-launch worker, else the coordinator or the benchmark client.
"""

from __future__ import annotations

import os
import sys
import time
from collections import namedtuple
from fnmatch import fnmatchcase

from tensorrt_llm.sim import ranks

VARIABLE = "SIM_FAULTS"

_STARTED = time.monotonic()  # imported first thing, so this is the start of the process

# What follows `KIND=`: "none", "optional" or "required".
_ARGUMENTS = {
    "crash": "optional",
    "exit0": "none",
    "kill": "none",
    "ignore-term": "none",
    "hang": "none",
    "unready": "none",
    "unhealthy": "none",
    "orphans": "required",
    "flood": "required",
    "long-line": "none",
    "binary": "none",
    "zero-tokens": "none",
    "failed-requests": "required",
    "slow-stop": "required",
    "oom": "required",
    "stall": "none",
}

# Kinds that are an act at one moment, rather than a way to behave from then on.
_ACTS = frozenset({"crash", "exit0", "kill", "orphans", "flood", "long-line", "binary", "oom"})

# Which kinds make sense where: in an idle rank, in the benchmark client, in a server.
IDLE_RANK = _ACTS | {"ignore-term", "slow-stop"}
CLIENT = IDLE_RANK | {"stall", "failed-requests"}
SERVER = CLIENT | {"hang", "unready", "unhealthy", "zero-tokens"}

Fault = namedtuple("Fault", "role rank kind argument delay")


class FaultError(ValueError):
    """SIM_FAULTS is malformed."""


def parse(text: str) -> list[Fault]:
    """Reads the whole of SIM_FAULTS; raises FaultError naming the entry that is wrong."""
    return [_parse_entry(entry.strip()) for entry in text.split(";") if entry.strip()]


def load(environ=os.environ) -> Faults:
    """Returns this process's faults; ends it with code 2 when SIM_FAULTS is malformed."""
    try:
        faults = parse(environ.get(VARIABLE, ""))
    except FaultError as error:
        print(f"{VARIABLE}: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    role, rank = ranks.role(environ), str(ranks.rank(environ))
    return Faults([f for f in faults if fnmatchcase(role, f.role) and f.rank in ("*", rank)])


class Faults:
    """The faults of one process."""

    def __init__(self, faults: list[Fault]):
        self._faults = faults
        self._failed_requests = 0

    def active(self, kind: str) -> bool:
        """Says whether the process should now behave as `kind`."""
        return self._find(kind) is not None

    def argument(self, kind: str) -> float:
        """Returns the argument of the active fault `kind`, or 0."""
        fault = self._find(kind)
        return fault.argument if fault else 0.0

    def take_failed_request(self) -> bool:
        """Says whether the request at hand is one of the first N that must fail."""
        if self._failed_requests >= self.argument("failed-requests"):
            return False
        self._failed_requests += 1
        return True

    def arm(self, kinds: frozenset[str]):
        """Starts the faults that are acts, and says which faults this process has, of the `kinds` it can have."""
        for fault in self._faults:
            if fault.kind not in kinds:
                print(f"[sim] fault {fault.kind} means nothing here: ignored", flush=True)
                continue
            print(f"[sim] fault armed: {fault.kind} after {fault.delay:g} s", flush=True)
            if fault.kind in _ACTS:
                from tensorrt_llm.sim import fault_acts

                fault_acts.start(fault, _STARTED + fault.delay)

    def _find(self, kind: str) -> Fault | None:
        for fault in self._faults:
            if fault.kind == kind and time.monotonic() >= _STARTED + fault.delay:
                return fault
        return None


def _parse_entry(entry: str) -> Fault:
    where, colon, what = entry.partition(":")
    if not colon:
        raise FaultError(f"{entry!r} is not ROLE[.RANK]:KIND[=ARG][@SECONDS]")
    role, dot, rank = where.partition(".")
    if not _is_role(role):
        raise FaultError(f"{entry!r}: {role!r} is not a role")
    if dot and not (rank.isdigit() or rank == "*"):
        raise FaultError(f"{entry!r}: {rank!r} is not a rank")
    what, at, seconds = what.partition("@")
    kind, equals, argument = what.partition("=")
    rule = _ARGUMENTS.get(kind)
    if rule is None:
        raise FaultError(f"{entry!r}: unknown kind {kind!r}; known are {' '.join(_ARGUMENTS)}")
    if rule == "required" and not equals:
        raise FaultError(f"{entry!r}: {kind} needs =ARG")
    if rule == "none" and equals:
        raise FaultError(f"{entry!r}: {kind} takes no argument")
    return Fault(
        role=role,
        rank=rank or "0",
        kind=kind,
        argument=_number(entry, argument) if equals else None,
        delay=_number(entry, seconds) if at else 0.0,
    )


def _is_role(name: str) -> bool:
    server, _, index = name.partition("_")
    return name in ("*", "DISAGG_SERVER", "BENCHMARK") or (
        server in ("GEN", "CTX") and (index.isdigit() or index == "*")
    )


def _number(entry: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise FaultError(f"{entry!r}: {text!r} is not a number") from None
    if not 0 <= number < float("inf"):
        raise FaultError(f"{entry!r}: {text!r} is out of range")
    return number
