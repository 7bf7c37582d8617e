"""Commands that make committed files: training, cross-fitting, asking the language model, hour-long computations."""
