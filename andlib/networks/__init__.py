"""Target networks: BEATs, checkpoints of every kind, and any PyTorch module."""
