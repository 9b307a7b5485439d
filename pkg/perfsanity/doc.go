// Package perfsanity reads upstream's formats: the YAML cases of TensorRT-LLM's perf-sanity tests, in every generation
// of their schema, and the test ids that name them. What comes out is a [roles.Case], free of upstream's spelling.
//
// Rules:
//   - The groups that the tool acts on (hardware, benchmark, slurm, environment) are strict: an unknown key is an
//     error, because a misspelt one would silently change a measurement. The engine's blocks pass through as they
//     stand.
//   - Nothing is guessed. A value that upstream's own readers disagree on is refused with the reason.
//
// Vocabulary: the config's base name is the file's name without ".yaml". A test id is what stands between the brackets
// of test_e2e[…]: a prefix, a mode and a base name, joined by dashes.
package perfsanity
