"""The parts of `predict`: which images, their maps, and the files that are written."""
