// Package results reads what benchmark clients report and makes records of it.
//
// Rules:
//   - A client's exit code is no verdict: a point counts only if as many requests succeeded as the case asked for, none
//     failed, and every metric that its client and mode measure is there.
//   - A point comes from one block of one client: the last one. A number is read whole or not at all.
//   - A result that is a JSON object is of the point only if the concurrency that it names is the one asked for. What
//     cannot be read of it is refused by name: a number that is none, a key that is there twice, an object that does
//     not end.
//   - One format is one parser behind [Format], found by its name in a recipe.
//   - The id of a record is fixed before anything is sent, and depends on neither metrics, host nor environment. Where
//     no attempt is known, the content that was imported stands for it.
//   - Nothing here does I/O.
//
// Terms: a point is one measured concurrency; its metrics carry upstream's names (token_throughput, mean_ttft), times
// in milliseconds, throughputs per second. A record is a point with what is needed to understand it elsewhere.
package results
