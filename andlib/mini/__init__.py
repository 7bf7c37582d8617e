"""What stands in for what cannot be shipped: synthesised sounds, small networks, a hearing captioner."""
