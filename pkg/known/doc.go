// Package known is the catalogue of known causes: what lines that explain a failure mean, in words, and what mostly
// helps.
//
// Rules:
//   - The catalogue is one file, causes.yaml. The first cause that matches counts, so what is special stands before
//     what is general.
//   - It is asked about the line that explains, which package diagnose finds, never about a whole log: so a warning, or
//     what somebody else's failure has caused, is taken for nothing.
//   - There is a hint only where it is nearly always right, and one that names a value which is not known is not given.
//   - Each cause has a snippet of a log below testdata, of our own making, by which its words and hint are tested.
//   - A cause that is not known is no fault: the line itself tells enough.
//
// Terms: a value is what a hint or words name in braces, such as {port}: a named group of the pattern that matched, or
// what the caller knows of the run. A key is one of the settings of the role that is to blame.
package known
