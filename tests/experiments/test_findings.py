import pytest

from mmseg_jml.experiments.plan.plan import Cell, Plan
from mmseg_jml.experiments.plan.plan import make_plan as make_plan_of
from mmseg_jml.experiments.report.findings import baselines_of


def make_plan(rows, baseline):
    cells = [Cell(name=n, title=n, config='a.py', paper=row) for n, row in rows.items()]
    return Plan(name='plan', cells=tuple(cells), baseline=baseline)


@pytest.mark.parametrize(
    ('rows', 'baseline', 'expected'),
    [
        ({'a': None, 'b': None, 'c': 'M0/CE'}, 'a', {'b': 'a', 'c': 'a'}),
        ({'a': None, 'b': None}, None, {}),
        (
            {'a': 'M2/CE', 'b': 'M2/JML', 'c': 'M0/CE', 'd': 'M0/JML'},
            'a',
            {'b': 'a', 'd': 'c'},
        ),
        # Without a baseline of its own a model has the plan's.
        ({'a': 'M2/CE', 'b': 'M0/JML', 'c': None}, 'a', {'b': 'a', 'c': 'a'}),
        (
            {'a': 'CS/R18/CWD', 'b': 'CS/MB2/CWD', 'c': 'CS/MB2/JML-KD', 'd': 'VOC'},
            'a',
            {'c': 'b', 'd': 'a'},
        ),
        ({'a': 'CE', 'b': 'JML'}, 'a', {'b': 'a'}),
        (
            {'a': 'student/T1', 'b': 'student/T2', 'c': 'teacher/T1'},
            'a',
            {'b': 'a'},
        ),
    ],
)
def test_a_cell_is_compared_with_the_baseline_of_its_model(rows, baseline, expected):
    assert baselines_of(make_plan(rows, baseline)) == expected


@pytest.mark.parametrize(
    ('baseline', 'expected'), [('a', {'b': 'a', 'c': 'b'}), (None, {'c': 'b'})]
)
def test_a_baseline_of_a_cells_own_comes_first(baseline, expected):
    cells = {'a': 'a.py', 'b': 'a.py', 'c': {'config': 'a.py', 'baseline': 'b'}}
    plan = {'name': 'p', 'cells': cells}
    found = make_plan_of(plan | ({'baseline': baseline} if baseline else {}))
    assert baselines_of(found) == expected
