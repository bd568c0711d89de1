"""What docs/own-data.md says is done, command by command, on made-up data.

new-config, check-dataset, train, test, plot-calibration, calibrate, predict, benchmark
and make-splits run as they stand on the page; only the trainings are shorter.
"""

import re
import shlex

import pytest
from mmengine.config import Config
from PIL import Image

from mmseg_jml.__main__ import main
from tests.cli.own_data import aerial, medical, street
from tests.docs.pages import FENCE
from tests.processes import ROOT

PAGE = (ROOT / 'docs' / 'own-data.md').read_text(encoding='utf-8')
BLOCKS = [found[2] for found in FENCE.finditer(PAGE) if found[1] == 'bash']
STEPS = {
    'street': 40,
    'aerial': 2,
    'medical': 2,
}  # calibration needs a model that knows


def run_block(text: str, steps: int) -> None:
    """Run the commands of a block in this process."""
    lines = text.replace('\\\n', ' ').replace('iter_1000', f'iter_{steps}')
    for line in lines.splitlines():
        words = shlex.split(line)
        assert words[:3] == ['python', '-m', 'mmseg_jml']
        if words[3] == 'new-config':
            words += ['--iterations', str(steps)]
        assert main(words[3:]) == 0, line


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder in which all blocks of the page were run."""
    root = tmp_path_factory.mktemp('own data')
    for make in (street, aerial, medical):
        make(root / make.__name__)
    plan = next(found[2] for found in FENCE.finditer(PAGE) if found[1] == 'yaml')
    (root / 'street.yml').write_text(plan)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        # Every run writes its config twice, laid out by yapf for a second each.
        patch.setattr(
            'yapf.yapflib.yapf_api.FormatCode', lambda text, **_: (text, True)
        )
        for block in BLOCKS:
            name = re.search('street|aerial|medical', block)[0]
            run_block(block, STEPS[name])
    return root


def test_the_way_to_the_diagram_has_ten_commands():
    assert len(BLOCKS[0].splitlines()) == 10


def test_the_commands_end_in_a_reliability_diagram_of_both_losses(folder):
    with Image.open(folder / 'reliability.png') as figure:
        assert min(figure.size) > 300


def test_the_commands_calibrate_and_predict(folder):
    (report,) = (folder / 'work_dirs' / 'street' / 'calibrated').rglob('report.md')
    assert 'temperature' in report.read_text()
    found = sorted(path.name for path in (folder / 'predictions').rglob('tomorrow*'))
    assert len(found) == 3  # classes, confidence, entropy
    assert len(list((folder / 'lesions' / 'prediction').rglob('*.png'))) == 8


@pytest.mark.parametrize('name', ['street-ce', 'street-jml', 'aerial-jml-bls'])
def test_the_commands_measure_on_test_images(folder, name):
    (log,) = (folder / 'work_dirs' / name / 'test').glob('*/*.json')
    text = log.read_text()
    assert '"mIoU"' in text
    assert '"calib/ECE"' in text
    assert '"fine/mIoU_D"' in text


@pytest.mark.parametrize('name', STEPS)
def test_a_config_is_short_and_inherits_from_no_file(folder, name):
    # The folder of the tests has a long name, the user's own may be shorter.
    text = (folder / f'{name}.py').read_text().replace(str(folder), '')
    assert '_base_' not in text
    assert len(text.splitlines()) < 100
    assert max(map(len, text.splitlines()[2:])) <= 120


def test_folds_of_the_page_hold_all_images_and_whole_patients(folder):
    lists = folder / 'medical_data' / 'folds'
    held = [(lists / f'fold{i}_val.txt').read_text().split() for i in range(4)]
    assert sorted(len(names) for names in held) == [2, 2, 2, 2]
    assert all(len({name.split('/')[0] for name in names}) == 1 for names in held)


def test_the_page_names_the_lists_of_a_fold_as_configs_read_them(folder, monkeypatch):
    (word,) = re.findall(r"`(lists \+ '/folds/[^`]*)`", PAGE)
    text = (folder / 'medical.py').read_text()
    (folder / 'fold.py').write_text(text.replace("lists + '/train.txt'", word))
    monkeypatch.setenv('DEEPGLOBE_FOLD', '2')
    cfg = Config.fromfile(folder / 'fold.py')
    found = cfg.train_dataloader.dataset.ann_file
    assert found == str(folder / 'medical_data' / 'folds' / 'fold2_train.txt')
