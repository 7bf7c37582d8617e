"""Commands that make committed files: training, asking the language model, hour-long computations."""
