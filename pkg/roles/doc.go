// Package roles tells what runs where, and how: roles, their layout over nodes and ranks, recipes that say how an
// engine's roles are started, and the plan that fixes all of it before a job is submitted.
//
// Rules:
//   - The plan is the only thing a job reads. It is made once, checked, written and never changed.
//   - A server gets whole nodes. GEN servers come first, then CTX, in allocation order. The coordinator and the
//     benchmark add no nodes: they share the first.
//   - What an engine needs is data (a recipe), not code. Nothing in this package knows an engine by name.
//
// Vocabulary: a role is one part of a job (GEN_0, CTX_1, DISAGG_SERVER, BENCHMARK); a rank is one process of it; rank
// 0 is its leader. A placement is a role's slice of nodes. A recipe is how roles are started, probed and stopped. An
// attempt is one run of a plan: a requeued job is a new attempt of the same plan.
package roles
