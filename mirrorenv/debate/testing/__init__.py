"""What tests and benchmarks of the debate share: planted texts, simulated verdicts, runs that are
killed."""
