"""A benchmark of what an assistant's model would read: `python -m tests.agents --help`, `make bench-agents`, docs/benchmark.md."""
