#!/bin/bash
# The sruns of a job, all at once, with the children themselves as tasks: as fast as Slurm can be. With AGENT, each task is
# that program, which is given the child. For the rest of the environment see the incumbent's script.
set -u
echo "${EPOCHREALTIME/,/.}" >"$BENCH_DIR/began"

step() { # ROLE FIRST-NODE NODES RANKS-PER-NODE
  DISAGG_SERVING_TYPE=$1 srun --input=none --kill-on-bad-exit=0 --wait=0 --overlap --mem=0 --mpi=none --relative="$2" --nodes="$3" \
    --ntasks-per-node="$4" --ntasks=$(($3 * $4)) ${AGENT:+"$AGENT"} "$CHILD" >"$BENCH_DIR/$1.log" 2>&1 &
}

export BENCH_HOLD=1
node=0
for ((i = 0; i < GEN; i++)); do
  step "GEN_$i" "$node" "$GEN_NODES" "$RANKS"
  ((node += GEN_NODES))
done
for ((i = 0; i < CTX; i++)); do
  step "CTX_$i" "$node" "$CTX_NODES" "$RANKS"
  ((node += CTX_NODES))
done
step DISAGG_SERVER 0 1 1
step BENCHMARK 0 1 1
wait
