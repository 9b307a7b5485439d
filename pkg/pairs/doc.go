// Package pairs compares two runs by measuring both again and again in one job: what is different between nodes and
// hours is the same for both sides of a pair.
//
// Rules:
//   - It is pure: which measurements there are to be, and what they say, without running any of them.
//   - Each side goes first in every other pair (A B, B A, A B …), so that a steady drift cancels out.
//   - Two measurements of one side that follow each other are made on the same servers where that can be done. Then the
//     first measurement on any servers is a warm-up and does not count: like is compared with like.
//   - What was not seen is said with what would have been: the smallest drop that so many pairs show nine times of ten.
//
// Terms: an arm is one of the two sides; a stint is the time of one arm's servers, from their start to their end, with
// the measurements that count.
package pairs
