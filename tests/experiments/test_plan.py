"""Plans are read as they are written, and what is wrong is refused by name."""

import pytest

from mmseg_jml.experiments.plan.plan import make_plan, read_plan
from tests.processes import ROOT

PLANS = sorted((ROOT / 'benchmarks' / 'plans').glob('*.yml'))
TWO = {'name': 'p', 'cells': {'a': 'a.py', 'b': 'b.py'}}


def test_a_config_alone_is_a_cell():
    (cell, _) = make_plan(TWO).cells
    assert (cell.name, cell.title, cell.config) == ('a', 'a', 'a.py')
    assert (cell.overrides, cell.swept, cell.teacher, cell.loss) == ({}, {}, None, None)


def test_a_cell_has_what_is_written():
    written = {
        'config': 'a.py',
        'title': 'A, large',
        'loss': 'jml',
        'overrides': {'train_cfg': {'max_iters': 5}, 'x.y': [1, 'b']},
        'paper': 'M2/CE',
        'seeds': [4],
    }
    (cell,) = make_plan({'name': 'p', 'cells': {'a': written}}).cells
    assert (cell.title, cell.loss, cell.paper) == ('A, large', 'jml', 'M2/CE')
    assert cell.overrides == {'train_cfg.max_iters': 5, 'x.y': [1, 'b']}
    assert cell.seeds == (4,)


def test_a_cells_overrides_come_after_the_plans():
    cells = {'a': {'config': 'a.py', 'overrides': {'x': 2}}, 'b': 'b.py'}
    plan = make_plan({'name': 'p', 'cells': cells, 'overrides': {'x': 1, 'y': 1}})
    assert [cell.overrides for cell in plan.cells] == [
        {'x': 2, 'y': 1},
        {'x': 1, 'y': 1},
    ]


@pytest.mark.parametrize(
    ('keys', 'seeds', 'folds'),
    [
        ({}, (0,), ()),
        ({'seeds': [3, 1]}, (3, 1), ()),
        ({'folds': [0, 1]}, (None,), (0, 1)),
        ({'folds': [0, 1], 'seeds': [5]}, (5,), (0, 1)),
    ],
)
def test_without_folds_there_is_a_seed(keys, seeds, folds):
    plan = make_plan(TWO | keys)
    assert plan.seeds_of(plan.cells[0]) == seeds
    assert plan.folds == folds


def test_every_base_is_crossed_with_every_loss():
    base = {'small': 's.py', 'large': 'l.py'}
    plan = make_plan({'name': 'p', 'base': base, 'losses': ['ce', 'mine/my.py']})
    assert [(cell.name, cell.config, cell.loss) for cell in plan.cells] == [
        ('small-ce', 's.py', 'ce'),
        ('small-my', 's.py', 'mine/my.py'),
        ('large-ce', 'l.py', 'ce'),
        ('large-my', 'l.py', 'mine/my.py'),
    ]


SWEEP = {'name': 'ratio', 'options': ['x.r', 'y.r'], 'values': [0.1, 1], 'cells': ['b']}


def test_a_sweep_puts_a_cell_for_each_value_in_place_of_the_swept():
    plan = make_plan(TWO | {'sweep': SWEEP, 'overrides': {'x.r': 7}})
    assert [(cell.name, cell.swept) for cell in plan.cells] == [
        ('a', {}),
        ('b_ratio-0.1', {'ratio': 0.1}),
        ('b_ratio-1', {'ratio': 1}),
    ]
    assert plan.cells[1].overrides == {'x.r': 0.1, 'y.r': 0.1}
    assert plan.cells[1].title == 'b, ratio 0.1'
    assert (plan.sweep.name, plan.sweep.values) == ('ratio', (0.1, 1))


def test_a_sweep_is_of_all_cells_unless_it_says_which():
    sweep = {key: SWEEP[key] for key in ('name', 'options', 'values')}
    assert len(make_plan(TWO | {'sweep': sweep}).cells) == 4


def with_title(title):
    return {'config': 'b.py', 'title': title}


def with_cell(**keys):
    return {'name': 'p', 'cells': {'t': 't.py', 'a': {'config': 'a.py'} | keys}}


@pytest.mark.parametrize(
    ('plan', 'sentence'),
    [
        (
            TWO | {'sedes': [0]},
            r"key 'sedes' in the plan \(did you mean 'seeds'\?\); allowed keys: name",
        ),
        (TWO | {'seeds': 3}, '`seeds` must be of type list, got 3'),
        (TWO | {'seeds': []}, '`seeds` must be a list of different whole numbers'),
        (TWO | {'seeds': [1, 1]}, r'`seeds` .*got \[1, 1\]'),
        (TWO | {'seeds': [True]}, '`seeds` must be a list of different whole'),
        (TWO | {'folds': [-1]}, '`folds` must be a list of different whole'),
        (TWO | {'name': 'a/b'}, "`name` must be a name of letters.*got 'a/b'"),
        (TWO | {'baseline': 'c'}, r"`baseline` must be one of \['a', 'b'\], got 'c'"),
        ({'name': 'p'}, '`cells` must be a mapping with at least one'),
        ({'name': 'p', 'losses': ['ce']}, '`losses` must be given together'),
        ({'name': 'p', 'base': 'a.py'}, '`losses` must be given together'),
        ({'name': 'p', 'cells': {'a b': 'a.py'}}, '`cells.a b` must be a name of'),
        ({'name': 'p', 'cells': {'report': 'a.py'}}, r"got \['report'\]"),
        (
            {'name': 'p', 'cells': {3: 'a.py'}},
            '`cells` must be a mapping whose keys are strings',
        ),
        ({'name': 'p', 'cells': {'a': {}}}, '`cells.a` must be a config'),
        (
            TWO | {'base': 'c.py', 'losses': ['a']},
            r"`cells` must be cells with different names, got \['a'\]",
        ),
        (
            {'name': 'p', 'cells': {'a': 'a.py', 'b': with_title('a')}},
            r"`cells` must be cells with different titles, got \['a'\]",
        ),
        (TWO | {'paper': 'tabel1'}, "`paper` must be one of .*got 'tabel1'"),
        (
            with_cell(epsilon=1),
            "unknown key 'epsilon' in `cells.a`; allowed keys: config",
        ),
        (with_cell(loss=1), '`cells.a.loss` must be of type str, got 1'),
        (with_cell(teacher='b'), "`cells.a.teacher` must be one of .*got 'b'"),
        (with_cell(baseline='b'), "`cells.a.baseline` must be one of .*got 'b'"),
        (with_cell(start='b'), "`cells.a.start` must be one of .*got 'b'"),
        (
            with_cell(start='t', teacher='t'),
            '`cells.a` must be given either `teacher` or `start`, not both',
        ),
        (with_cell(teacher='a'), "does not depend on this one, got 'a -> a'"),
        (
            with_cell(teacher_seed=0),
            '`cells.a.teacher_seed` must be given only together with `teacher`',
        ),
        (
            with_cell(teacher='t', teacher_seed=5),
            "`cells.a.teacher_seed` must be one of the teacher's seeds",
        ),
        (
            with_cell(teacher='t', seeds=[5]),
            "`teacher_seed` can choose one of them .*got 'no seed 5'",
        ),
        (with_cell(overrides={'x': {'y': [{}]}}), '`cells.a.overrides.x.y` must be a '),
        (TWO | {'overrides': {1: 2}}, '`overrides` must be a mapping whose keys'),
        (TWO | {'sweep': {'name': 'x'}}, '`sweep.options` must be given'),
        (TWO | {'sweep': SWEEP | {'cells': ['c']}}, '`sweep.cells` must be one of'),
        (TWO | {'sweep': SWEEP | {'values': ['a/b']}}, '`sweep` must be a name of'),
    ],
)
def test_what_is_wrong_is_named(plan, sentence, tmp_path):
    import yaml

    path = tmp_path / 'p.yml'
    path.write_text(yaml.safe_dump(plan))
    with pytest.raises(ValueError, match=sentence) as error:
        read_plan(path)
    assert str(error.value).startswith(f'{path}: ')


@pytest.mark.parametrize(
    ('text', 'sentence'),
    [
        ('cells: {a: a.py, a: b.py}', "the key 'a' is given twice"),
        ('- a', 'the plan must be a mapping with the keys name, '),
        ('cells: {', 'expected'),
    ],
)
def test_text_that_is_no_plan_is_refused(tmp_path, text, sentence):
    (tmp_path / 'p.yml').write_text(text)
    with pytest.raises(ValueError, match=sentence):
        read_plan(tmp_path / 'p.yml')


def test_a_missing_plan_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no plan '.*none\.yml'"):
        read_plan(tmp_path / 'none.yml')


@pytest.mark.parametrize('path', PLANS, ids=lambda path: path.stem)
def test_a_shipped_plan_is_named_after_its_file_and_described(path):
    plan = read_plan(path)
    assert plan.name == path.stem
    assert len(plan.description) > 80
    assert plan.paper is None or path.stem.startswith(plan.paper)
