"""What this book adds to the paper: an audit, scores, planted neurons, other unlearning, search, where it fired."""
