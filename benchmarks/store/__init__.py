"""The little shop that everybody's benchmarks sell from. No peer's environment lacks anything it imports."""
