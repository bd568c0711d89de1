import csv
import importlib.util

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from PIL import Image

from mmseg_jml.functional import bin_table
from tests.processes import ROOT


@pytest.fixture(scope='module')
def demo():
    spec = importlib.util.spec_from_file_location('demo', ROOT / 'tools/demo.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def results(demo):
    def result(acc, miou, ece, bece):
        label = np.zeros((8, 12), int)
        table = bin_table(torch.ones(4), torch.tensor([True, True, False, True]))
        return demo.Result(
            {'Acc': acc, 'mIoU': miou, 'ECE': ece, 'BECE': bece},
            [np.zeros((8, 12, 3), np.uint8)],
            [label],
            [(label, np.ones((8, 12)))],
            {'classes': ('ground',), 'palette': [(60, 60, 60)]},
            dict.fromkeys(('all', 'boundary'), table),
        )

    return {
        'CE': result(90.123, 50.0, 3.0, 20.0),
        'JML-BLS': result(91.0, 60.5, 4.5, 10.0),
    }


def test_the_table_is_printed_and_kept_as_markdown_and_csv(
    demo, results, tmp_path, capsys
):
    demo.write_table(results, tmp_path)
    lines = (tmp_path / 'results.md').read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]
    expected = [
        ['training', 'Acc', 'mIoU', 'ECE', 'BECE'],
        ['CE', '90.12', '50.00', '3.00', '20.00'],
        ['JML-BLS', '91.00', '60.50', '4.50', '10.00'],
    ]
    assert [cells[0], *cells[2:]] == expected
    with (tmp_path / 'results.csv').open(newline='') as file:
        assert list(csv.reader(file)) == expected
    assert all(line in capsys.readouterr().out for line in lines[:1])


@pytest.mark.parametrize('write', ['write_sheet', 'write_diagrams'])
def test_the_figures_are_pictures(demo, results, tmp_path, write):
    path = getattr(demo, write)(results, tmp_path)
    with Image.open(path) as sheet:
        assert sheet.format == 'PNG'
        assert min(sheet.size) > 100


def test_its_configs_are_there(demo):
    assert all((ROOT / config).is_file() for config in demo.RUNS.values())


def test_a_finished_training_is_not_repeated(demo, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(demo.subprocess, 'Popen', None)
    demo.checkpoint(tmp_path, 5).touch()
    demo.train('CE', 'configs/demo/any.py', tmp_path, 5)
    assert f'delete {tmp_path}' in capsys.readouterr().out


def test_a_failed_training_ends_the_demo_with_what_it_said(demo, tmp_path, monkeypatch):
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    with pytest.raises(SystemExit, match=r'no config .*nowhere\.py(?s:.*)output\.txt'):
        demo.train('CE', 'configs/nowhere.py', tmp_path, 5)
    assert 'nowhere.py' in (tmp_path / 'output.txt').read_text()


@pytest.mark.filterwarnings('ignore:The draw is False:UserWarning:mmseg')
def test_a_trained_model_is_tested_and_its_bins_are_found(demo, tmp_path):
    config = next((ROOT / 'configs' / 'demo').glob('*-ce-600_*.py'))
    cfg = Config.fromfile(config)
    init_default_scope('mmseg')
    weights = MODELS.build(cfg.model).state_dict()
    torch.save({'state_dict': weights, 'meta': {}}, tmp_path / 'iter_5.pth')
    found = demo.evaluate(str(config.relative_to(ROOT)), tmp_path, 5)
    assert found[0].keys() == demo.METRICS.keys()
    assert {'all', 'boundary'} <= found[-1].keys()
