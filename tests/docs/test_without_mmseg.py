"""The examples of docs/without-mmsegmentation.md run, without MMSegmentation."""

import pytest

from tests.docs.pages import blocks
from tests.processes import run_python

PAGE = 'without-mmsegmentation'
EXAMPLES = {
    name: block
    for block in blocks('python')
    if block.page.stem == PAGE
    for name in ('segmentation_models_pytorch', 'lightning', 'transformers', 'monai')
    if f'{name}' in block.text
}
PLAIN = next(
    block
    for block in blocks('python')
    if block.page.stem == PAGE and block not in EXAMPLES.values()
)
REFUSE = """
import os, sys
os.environ['HF_HUB_OFFLINE'] = '1'
for name in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE'):  # MMEngine's, of an earlier test
    os.environ.pop(name, None)
sys.modules.update(dict.fromkeys(('mmseg', 'mmengine', 'mmcv')))  # None: refused
"""
# The real one needs torchvision, which does not import beside the tests' PyTorch.
SMP = """
import types, torch
def unet(encoder_name, encoder_weights, classes):
    return torch.nn.Conv2d(3, classes, 3, padding=1)
sys.modules['segmentation_models_pytorch'] = types.SimpleNamespace(Unet=unet)
"""
STEPPED = {
    'segmentation_models_pytorch': 'model.weight.grad.abs().sum() > 0',
    'lightning': 'trainer.global_step == 1',
    'transformers': 'trainer.state.global_step == 1',
    'monai': 'all(p.grad is not None for p in model.parameters())',
}


def run(text, folder):
    done = run_python('-W', 'ignore', '-c', text, cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize('library', STEPPED)
def test_the_example_of_a_library_trains_a_step(library, tmp_path):
    stub = SMP if library == 'segmentation_models_pytorch' else ''
    check = f'\nassert {STEPPED[library]}\n'
    run(REFUSE + stub + EXAMPLES[library].text + check, tmp_path)


def test_the_plain_loop_trains_a_step(tmp_path):
    check = '\nassert model.weight.grad.abs().sum() > 0\n'
    run(REFUSE + PLAIN.text + check, tmp_path)
