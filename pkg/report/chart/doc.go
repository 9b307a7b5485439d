// Package chart draws small charts as SVG: a curve, ranges over steps, and bars over time.
//
// Rules:
//   - It knows nothing of what it draws: numbers and texts come in, one <svg> element comes out, for a page of HTML.
//   - Nothing needs a script, a style attribute or another file, so a page may be shown under the strictest content
//     policy. Colours are presentation attributes, which suit a light page; a style sheet may change them by class.
//   - A text is drawn in the size in which it is read: a chart is made for a width in CSS pixels, and a page that is
//     read in several widths has a chart for each.
//   - The same input gives the same text. What cannot be drawn, such as a number that is not finite, is left out.
//
// Classes: grid and axis (lines), tick, title and label (texts), main and muted (what is shown, and what it is compared
// with), mark (a moment that matters), and those of the bars, which the caller names.
package chart
