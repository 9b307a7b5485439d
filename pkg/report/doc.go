// Package report shows how a run went: live lines and a summary on a terminal, the page that a run leaves behind,
// Markdown for a pull request, JUnit for a CI server, and the page of a list of runs.
//
// Rules:
//   - All views of a run are made from one [Model], which [Build] makes, and which is data.json. Nothing is computed in
//     a view but how it looks.
//   - A point that does not count is marked as such wherever it is shown, with its reason, and is part of no curve, no
//     best value and no comparison.
//   - It is said which tokens are meant (output tokens), and which GPUs: throughput per GPU is over those that servers
//     use, not over all of the allocation. The table of metrics in package results tells what each number means.
//   - A failure comes first, and of it the lines around the one that explains.
//   - Pages need no script, no inline style and nothing from elsewhere, so that CI servers show them whole: Jenkins
//     serves artifacts with the policy "sandbox allow-same-origin; default-src 'none'; img-src 'self'; style-src
//     'self'" (https://www.jenkins.io/doc/book/security/configuring-content-security-policy/). Charts are SVG in the
//     page; package chart draws them.
//   - What a child printed is made printable before anybody sees it.
//   - It does no I/O but to the writer it is given; package gather reads run directories.
//
// Terms: the run before is the newest earlier run. An excerpt is a few lines of a rank's output. A series, a finding
// and a judgement are those of package regression; agents link this package, and not that one.
package report
