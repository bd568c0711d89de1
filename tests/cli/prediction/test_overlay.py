"""The overlay shows the image, the classes and their names."""

import numpy as np
import pytest

from mmseg_jml.cli.prediction import overlay as module
from mmseg_jml.cli.prediction.overlay import overlay

CLASSES = ['road', 'sidewalk', 'car']
PALETTE = [[200, 0, 0], [0, 200, 0], [0, 0, 200]]


@pytest.fixture
def prediction():
    ids = np.zeros((60, 90), np.uint8)
    ids[:, 45:] = 2
    return ids


def test_each_pixel_is_half_the_image_and_half_its_class(prediction):
    image = np.full((60, 90, 3), 100, np.uint8)
    found = np.asarray(overlay(image, prediction, CLASSES, PALETTE))
    assert found[30, 10].tolist() == [150, 50, 50]
    assert found[30, 80].tolist() == [50, 50, 150]


def test_the_legend_has_the_colours_of_the_classes_that_occur(prediction):
    image = np.zeros((60, 90, 3), np.uint8)
    legend = np.asarray(overlay(image, prediction, CLASSES, PALETTE))[60:]
    colours = {tuple(colour) for colour in legend.reshape(-1, 3).tolist()}
    assert {(200, 0, 0), (0, 0, 200), (255, 255, 255)} <= colours
    assert (0, 200, 0) not in colours


def test_a_large_image_is_reduced(prediction, monkeypatch):
    monkeypatch.setattr(module, 'LONGEST', 45)
    image = np.zeros((60, 90, 3), np.uint8)
    found = np.asarray(overlay(image, prediction, CLASSES, PALETTE))
    assert found[:30, :22, 0].min() == found[:30, 23:45, 2].min() == 100


def test_a_class_without_colour_is_refused(prediction):
    image = np.zeros((60, 90, 3), np.uint8)
    with pytest.raises(ValueError, match='needs a colour for class 2'):
        overlay(image, prediction, CLASSES, PALETTE[:2])
