#!/bin/bash
# What the launcher does that disagg replaces, and nothing else of it: roles start one after the other with a fixed sleep
# after each, nobody watches the steps in the background, and the only look at a worker is the benchmark's, every ten
# seconds. Its behaviour is written down from what is known of it; no line is taken from it.
#
# Environment: CHILD (the program that plays every role), BENCH_DIR, GEN and CTX (how many servers), GEN_NODES and
# CTX_NODES (of each), RANKS (per node), PAUSE (seconds after each start).
set -u
echo "${EPOCHREALTIME/,/.}" >"$BENCH_DIR/began"

server() { # ROLE FIRST-NODE NODES
  DISAGG_SERVING_TYPE=$1 srun --input=none --kill-on-bad-exit=1 --overlap --mem=0 --mpi=none --relative="$2" --nodes="$3" \
    --ntasks-per-node="$RANKS" --ntasks=$(($3 * RANKS)) "$CHILD" >"$BENCH_DIR/$1.log" 2>&1 &
  sleep "$PAUSE"
}
one() { # ROLE
  DISAGG_SERVING_TYPE=$1 srun --input=none --kill-on-bad-exit=1 --overlap --mem=0 --mpi=none --relative=0 --nodes=1 --ntasks=1 "$CHILD"
}

node=0
for ((i = 0; i < GEN; i++)); do
  server "GEN_$i" "$node" "$GEN_NODES"
  ((node += GEN_NODES))
done
for ((i = 0; i < CTX; i++)); do
  server "CTX_$i" "$node" "$CTX_NODES"
  ((node += CTX_NODES))
done
sleep "$PAUSE"
one DISAGG_SERVER >"$BENCH_DIR/DISAGG_SERVER.log" 2>&1 &
sleep "$PAUSE"
one BENCHMARK >"$BENCH_DIR/BENCHMARK.log" 2>&1 || {
  scancel "$SLURM_JOB_ID"
  exit 1
}
