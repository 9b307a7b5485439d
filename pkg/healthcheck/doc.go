// Package healthcheck asks services whether they work: probes of several kinds, thresholds over probes, and the watch
// over the services that a role depends on. It knows nothing of processes, roles or Slurm.
//
// Rules:
//   - Only 2xx is healthy, unless the probe takes any status, and only if the body says what it must. A connection that
//     is accepted, a 3xx or a 503 is not.
//   - A probe uses a connection of its own and no proxy: clusters export http_proxy, and a kept-alive connection can
//     outlive the service's ability to accept new ones.
//   - The reasons why a probe failed are told apart, because "refused" and "timeout" have different owners.
//   - A startup probe gates readiness, and readiness gates liveness: a service that loads for half an hour is not dead.
//   - One answer is no answer: it takes some in a row to change the view. Probes of many services do not beat as one.
//
// Vocabulary: a probe is one question; a failure is its answer when it is not healthy; a service is ready when enough
// probes in a row succeeded, and lost when, after that, enough in a row failed. It is stalled when it answers, but what
// it works on does not go on.
package healthcheck
