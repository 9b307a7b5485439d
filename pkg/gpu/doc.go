// Package gpu makes sense of samples of GPUs, as nvidia-smi prints them again and again.
//
// Rules:
//   - A sample tells of the time since the one before it: what the driver says are averages of the last moment. A gap
//     is not filled: of a GPU that was not sampled for a while nothing is known for that while.
//   - What a driver does not tell ("[N/A]") is absent, and no zero. A line that is no sample is an error, which whoever
//     reads counts.
//   - Times are those of the GPU's host.
//   - Nothing here runs anything; the agent does.
//
// Terms: a quantity is one of the numbers of a sample. A span is a stretch of time, such as that of a point.
package gpu
