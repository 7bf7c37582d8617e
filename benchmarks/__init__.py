"""Speed and memory, each measured against a plain reference in the same run: `make bench`."""
