"""The paper's grid of configs: its leaves, and the files that are written from it."""
