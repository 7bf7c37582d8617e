"""Language models: how they are asked, what they are asked, and what the pages read of their answers."""
