// Package regression judges whether a run is slower than those before it.
//
// Rules:
//   - A verdict has three values: passed, failed, and unknown with its reason. What cannot be told is never passed.
//   - One measurement makes a suspicion; a second one, made under the same conditions, confirms it. Both must be
//     outside of what earlier runs span: their mean would keep the outlier of either.
//   - A change must be both unlikely by chance and of a size that matters.
//   - Every finding says the smallest drop that it would have seen.
//   - Only what the table of metrics gates decides ([results.Metric]); everything else is shown.
//   - The verdict does not depend on whether anything was uploaded.
//
// Terms: a series is one metric of one point of a case over the runs, oldest first. Its segment is what came after its
// last change point. The baseline is the centre of the segment without outliers; the pinned baseline is that of runs
// that somebody chose, which a slow drift cannot move.
package regression
