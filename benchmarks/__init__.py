"""The benchmarks: ``make bench``. Ratios within one run, side by side with others on the same work."""
