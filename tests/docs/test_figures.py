"""The figures of the documentation are drawn by scripts, and are small."""

import runpy

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from tests.processes import ROOT

FIGURES = {
    'losses': 'losses',
    'boundaries': 'smooth-boundaries',
    'soft_labels': 'soft-labels',
    'one_pass': 'one-pass',
}


@pytest.mark.parametrize(('script', 'name'), FIGURES.items())
def test_a_committed_figure_is_what_its_script_draws(script, name):
    figure = runpy.run_path(str(ROOT / 'docs' / 'figures' / f'{script}.py'))['figure']()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    path = ROOT / 'docs' / 'images' / f'{name}.png'
    committed = np.asarray(Image.open(path).convert('RGB')).astype(int)
    assert drawn.shape == committed.shape
    assert np.abs(drawn - committed).mean() < 2  # of 255: fonts differ in a pixel
    assert path.stat().st_size < 80_000
