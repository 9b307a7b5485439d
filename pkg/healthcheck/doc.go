// Package healthcheck asks services whether they work: one probe, and thresholds over probes. It knows nothing of
// processes, roles or Slurm.
//
// Rules:
//   - Only 2xx is healthy. A connection that is accepted, a 3xx or a 503 is not.
//   - A probe uses a connection of its own and no proxy: clusters export http_proxy, and a kept-alive connection can
//     outlive the service's ability to accept new ones.
//   - The reasons why a probe failed are told apart, because "refused" and "timeout" have different owners.
//
// Vocabulary: a probe is one question; a failure is its answer when it is not healthy; a service is ready when enough
// probes in a row succeeded.
package healthcheck
