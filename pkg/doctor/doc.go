// Package doctor judges whether a cluster, a profile and a case fit, before anybody waits in a queue: what hosts and
// the scheduler say goes in, findings come out.
//
// Rules:
//   - A finding says what was looked at, what was found, and what to do about it.
//   - Only what would certainly fail a job is FAIL. What could not be asked, and what only the nodes may see, is warn.
//   - Everything is found that can be: one fault does not hide the next.
//
// Terms: the login half looks from the submitting host; the visit is a small job whose tasks look at their nodes (an
// examination each), with the options and in the container of the job that is to run.
package doctor
