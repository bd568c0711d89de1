"""The parts of `predict`: finding images, predicting maps and writing files."""
