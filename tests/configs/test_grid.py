"""The grid of the paper is whole, and its generated files are up to date."""

import importlib
import itertools
import re

import pytest
import yaml

from tests.configs.tree import CONFIGS, LEAVES, NAME
from tests.processes import ROOT

FOLDERS = (
    *(f'jml/{data}' for data in ('cityscapes', 'voc12aug', 'deepglobe', 'ade20k')),
    *(f'distillation/{data}' for data in ('cityscapes', 'voc12aug', 'deepglobe')),
    *(f'semi/{data}' for data in ('cityscapes', 'voc12aug', 'ade20k')),
)
LOSSES = ('ce', 'ce-bls', 'jml', 'jml-bls')
COMPARED = ('sjl-bls', 'jml2-bls', 'lovasz', 'dice', 'tversky', 'focal')
M = (
    'deeplabv3_r101-d8',
    'deeplabv3_r50-d8',
    'deeplabv3_r18-d8',
    'deeplabv3_m-v2-d8',
    'pspnet_r18-d8',
    'unet_r50',
    'unet_r18',
    'unet_m-v2',
)
ADE20K = (
    'deeplabv3_r50-d8',
    'deeplabv3plus_r101-d8',
    'upernet_r50',
    'segformer_mit-b2',
)
CITY, VOC = 'cityscapes', 'voc12aug'
ASKED = {
    *itertools.product((CITY, VOC), M[:5], LOSSES, ('40k',)),
    *itertools.product(('deepglobe',), M[5:], LOSSES, ('10k',)),
    *itertools.product(('ade20k',), ADE20K, ('ce', 'jml-bls'), ('160k',)),
    *itertools.product((CITY, VOC), (M[2],), COMPARED, ('40k',)),
    *itertools.product((CITY, VOC), (M[2],), ('mmseg-ce', 'jml'), ('mmseg40k',)),
    *itertools.product((CITY, VOC), M[2:5], ('ce-kd', 'jml-kd'), ('40k',)),
    *itertools.product((CITY,), M[2:5], ('kl', 'cwd', 'dist'), ('40k',)),
    *itertools.product(('deepglobe',), M[6:], ('ce-kd', 'jml-kd'), ('10k',)),
}
SEMI = ('ce', 'jml', 'fixmatch-ce', 'fixmatch-jml', 'unimatch-jml')
ASKED_SEMI = {
    *itertools.product((CITY,), ('1of16', '1of8', '1of4', '1of2'), SEMI),
    *itertools.product((VOC, 'ade20k', 'camvid'), ('1of8',), SEMI),
    ('camvid', '1of8', 'mean-teacher'),
    ('camvid', '1of8', 'mean-teacher-jml'),
}


@pytest.fixture(scope='module')
def tool():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / 'tools')  # as for `python tools/config_grid.py`
        return importlib.import_module('config_grid')


def test_every_row_that_was_asked_for_has_a_config():
    found = set()
    for path in LEAVES:
        name = NAME.fullmatch(path.stem)
        run = (name['baseline'] or '') + name['iters']
        found.add((path.parent.name, name['model'], name['loss'], run))
    assert ASKED - found == set()


def test_every_split_that_was_asked_for_has_its_configs():
    names = {path: NAME.fullmatch(path.stem) for path in LEAVES}
    found = {(p.parent.name, n['labels'], n['loss']) for p, n in names.items()}
    assert ASKED_SEMI - found == set()


def test_the_files_of_the_grid_are_what_the_tool_writes(tool):
    assert tool.stale() == []


def test_the_tool_names_a_changed_and_a_foreign_file(tool, tmp_path):
    for path, text in tool.outputs().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, 'utf-8')
    assert tool.stale(tmp_path) == []
    changed = 'configs/jml/ade20k/README.md'
    foreign = 'configs/jml/ade20k/mine.py'
    for path in (changed, foreign):
        (tmp_path / path).write_text('mine\n')
    assert tool.stale(tmp_path) == [changed, foreign]


# mIoU of tables 1, 2, 3 and 8, typed from the paper.
PUBLISHED = {
    (VOC, M[2], 'ce'): '72.47 ± 0.33',
    (VOC, M[2], 'jml-bls'): '75.60 ± 0.24',
    (VOC, M[2], 'sjl-bls'): '74.13 ± 0.20',
    (VOC, M[2], 'jml2-bls'): '75.31 ± 0.31',
    (VOC, M[0], 'jml-bls'): '81.52 ± 0.41',
    (CITY, M[2], 'ce'): '72.88 ± 0.44',
    (CITY, M[2], 'jml'): '75.55 ± 0.13',
    (CITY, M[2], 'sjl-bls'): '75.43 ± 0.34',
    (CITY, M[4], 'ce-bls'): '72.43 ± 0.05',
    (CITY, M[2], 'jml-kd'): '76.68 ± 0.33',
    (VOC, M[2], 'ce-kd'): '72.96 ± 0.30',
    ('deepglobe', M[6], 'jml-kd'): '67.62 ± 0.27',
    ('deepglobe', M[5], 'jml'): '69.29 ± 0.87',
    ('deepglobe', M[6], 'jml'): '66.95 ± 0.25',
    ('deepglobe', M[7], 'jml-bls'): '67.04 ± 0.77',
}


@pytest.mark.parametrize(('row', 'miou'), PUBLISHED.items(), ids=str)
def test_the_papers_miou_stands_in_readme_and_metafile(row, miou):
    folder, model, loss = row
    tree = CONFIGS / ('distillation' if loss.endswith('-kd') else 'jml') / folder
    (path,) = tree.glob(f'{model}_1xb8-{loss}-[14]0k_*.py')
    name = path.stem
    metafile = yaml.safe_load((tree / 'metafile.yml').read_text())
    (entry,) = (entry for entry in metafile['Models'] if entry['Name'] == name)
    assert entry['Figures of the paper']['mIoU'] == miou
    readme = (tree / 'README.md').read_text()
    (line,) = (line for line in readme.splitlines() if f'({name}.py)' in line)
    assert line.split(' | ')[3] == miou


@pytest.mark.parametrize('folder', FOLDERS)
def test_no_column_of_a_readme_is_empty(folder):
    """A column stands there only if the paper or a run of this project fills it."""
    lines = (CONFIGS / folder / 'README.md').read_text().splitlines()
    rows = [line.strip('| ').split(' | ') for line in lines if '.py) ' in line]
    assert all(set(column) != {'-'} for column in zip(*rows, strict=True))


def test_a_measured_figure_gets_its_column_and_its_entry(tool, monkeypatch):
    from grid import leaves, pages

    chosen = [leaf for leaf in leaves.grid() if leaf.folder == 'ade20k'][:2]
    found = {chosen[1].name: {'mIoU': '41.50 ± 0.20'}}
    monkeypatch.setitem(leaves.TABLES, 'measured', found)
    lines = pages.readme(chosen).splitlines()
    table = [line for line in lines if line.startswith('| ')]
    assert table[0].split(' | ')[3] == 'mIoU, measured'
    assert [row.split(' | ')[3] for row in table[2:]] == ['-', '41.50 ± 0.20']
    first, second = yaml.safe_load(pages.metafile(chosen))['Models']
    assert 'Results' not in first
    assert second['Results'][0]['Metrics'] == {'mIoU': '41.50 ± 0.20'}


@pytest.mark.parametrize('folder', FOLDERS)
def test_the_metafile_names_files_that_are_there(folder):
    metafile = yaml.safe_load((CONFIGS / folder / 'metafile.yml').read_text())
    named = {entry['Config'] for entry in metafile['Models']}
    there = {p for p in LEAVES if p.parent == CONFIGS / folder}
    assert named == {path.relative_to(ROOT).as_posix() for path in there}
    assert (ROOT / metafile['Collections'][0]['README']).is_file()


def test_every_config_that_the_docs_name_is_there():
    text = (ROOT / 'docs' / 'configs.md').read_text()
    named = re.findall(r'(?:jml|distillation|semi)/[\w/.+-]+\.py', text)
    named = {name for name in named if 'LOSS' not in name}
    assert named
    assert all((CONFIGS / name).is_file() for name in named)
