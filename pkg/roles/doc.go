// Package roles is the vocabulary: what a test asks for, which roles run it, and how they are laid out over nodes and
// ranks. It imports no other package of the project, and does nothing.
//
// Rules:
//   - A server gets whole nodes, unless small ones are packed. GEN servers come first, then CTX, in allocation order.
//     The coordinator and the benchmark share the first node, unless the recipe places them on the last or on their
//     own.
//   - Nothing here knows an engine or a scheduler by name.
//
// Terms: a role is one part of a job (GEN_0, CTX_1, DISAGG_SERVER, BENCHMARK); a rank is one process of it; rank 0 is
// its leader; a task names one rank of one role. A placement is a role's slice of nodes.
package roles
