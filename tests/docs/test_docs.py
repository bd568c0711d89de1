"""What the documentation says can be done can be done."""

import importlib
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmseg.registry import EVALUATOR, HOOKS, METRICS, MODELS

from mmseg_jml.experiments.plan.plan import read_plan
from mmseg_jml.shipped import copy_configs
from tests.docs import commands
from tests.docs.pages import (
    PAGES,
    anchors,
    blocks,
    inline_commands,
    is_config,
    links,
    module_name,
)
from tests.processes import ROOT
from tests.tools.models import TINY, write_checkpoint, write_config

PLAN_KEYS = ('base:', 'data_root:', 'cells:')
# Those of one page run in processes of their own: see test_without_mmseg.py.
PYTHON = [
    block for block in blocks('python') if block.page.stem != 'without-mmsegmentation'
]
PLANS = [block for block in blocks('yaml') if block.text.startswith(PLAN_KEYS)]
COMMANDS = blocks('bash', 'sh', 'shell') + inline_commands()

# Which test or script does for real what a command of the docs says; the tests below
# see to it that its arguments are understood and its configs are there.
RUN_BY = {
    'tools/train.py': 'tests/tools/test_flags.py',
    'tools/test.py': 'tests/tools/test_flags.py',
    'tools/dist_train.sh': 'tests/tools/test_flags.py',
    'tools/predict.py': 'tests/tools/test_predict.py',
    'tools/calibrate.py': 'tests/tools/test_calibrate.py',
    'tools/plot_calibration.py': 'tests/tools/test_plot_calibration.py',
    'tools/check_dataset.py': 'tests/tools/test_check_dataset.py',
    'tools/teacher_report.py': 'tests/tools/test_teacher_report.py',
    'tools/benchmark.py': 'tests/experiments/test_command.py',
    'tools/plot_runs.py': 'tests/tools/test_plot_runs.py',
    'tools/make_splits.py': 'tests/tools/test_make_splits.py',
    'tools/export.py': 'tests/tools/test_export.py',
    'tools/config_grid.py': 'tests/configs/test_grid.py',
    'tools/dataset_converters/deepglobe.py': 'tests/tools/test_converters.py',
    'tools/dataset_converters/voc_aug.py': 'tests/tools/test_converters.py',
    'docs/figures/losses.py': 'tests/docs/test_figures.py',
    'docs/figures/boundaries.py': 'tests/docs/test_figures.py',
    'docs/figures/soft_labels.py': 'tests/docs/test_figures.py',
    'docs/figures/one_pass.py': 'tests/docs/test_figures.py',
    'mmseg_jml new-config': 'tests/cli/test_own_data.py',
    'mmseg_jml check-dataset': 'tests/cli/test_own_data.py',
    'mmseg_jml predict': 'tests/cli/test_own_data.py',
    'mmseg_jml calibrate': 'tests/cli/test_own_data.py',
    'mmseg_jml plot-calibration': 'tests/cli/test_own_data.py',
    'mmseg_jml make-splits': 'tests/cli/test_own_data.py',
    'mmseg_jml train': 'tests/test_wheel.py',
    'mmseg_jml test': 'tests/experiments/test_command.py',
    'mmseg_jml configs': 'tests/test_cli.py',
    'mmseg_jml benchmark': 'tests/experiments/test_command.py',
    'mmseg_jml plot-runs': 'tests/tools/test_plot_runs.py',
    'mmseg_jml export': 'tests/tools/test_export.py',
    'mmseg_jml doctor': 'tests/cli/test_doctor.py',
    'make demo': 'tests/tools/test_demo.py',
    'make test': '.ci/run',
    'make fuzz': 'tests/fuzz/test_fuzz.py',
    'make wheel': 'tests/test_wheel.py',
}
# Run by the test of the commands itself: up to where they start torchrun or srun.
RUN_HERE = {'python -c', 'tools/dist_test.sh', 'tools/slurm_train.sh'}
# Measurements of many minutes, which no test repeats; what needs the network, packages
# of its own, or mmcv compiled.
BY_HAND = {
    'benchmarks/calibration.py',
    'benchmarks/distillation.py',
    'benchmarks/losses.py',
    'benchmarks/performance.py',
    'csCreateTrainIdLabelImgs',
    'make docs',
    'make test-openmmlab',
    'pip',
}


@pytest.fixture(scope='module', autouse=True)
def registry():
    """Leave no loss of a page registered."""
    before = dict(MODELS.module_dict)
    yield
    MODELS.module_dict.clear()
    MODELS.module_dict.update(before)


@pytest.fixture(scope='module')
def working_folder(tmp_path_factory):
    """A folder with what the pages speak of: a student, a teacher, configs, modules."""
    folder = tmp_path_factory.mktemp('docs')
    for name in ('my_student', 'my_teacher'):
        write_config(folder / f'{name}.py')
    weights = folder / 'work_dirs' / 'my_teacher' / 'iter_40000.pth'
    weights.parent.mkdir(parents=True)
    write_checkpoint(weights, TINY)
    copy_configs(folder / 'my_configs')
    (folder / 'plan.yml').write_text(PLANS[0].text)
    for block in PYTHON:
        if module_name(block):
            with (folder / f'{module_name(block)}.py').open('a') as module:
                module.write(block.text)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        yield folder
    for block in PYTHON:
        sys.modules.pop(module_name(block) or '', None)


def named(found):
    return pytest.mark.parametrize('block', found, ids=lambda block: block.name)


@pytest.mark.parametrize(
    'page', sorted({block.page for block in PYTHON if not is_config(block)}), ids=str
)
def test_the_programs_of_a_page_run_one_after_the_other(page, working_folder):
    scope = {}
    for block in PYTHON:
        if block.page != page or is_config(block):
            continue
        name = module_name(block)
        if name:
            scope |= vars(importlib.import_module(name))
        else:
            exec(compile(block.text, f'{page}:{block.line}', 'exec'), scope)


@pytest.mark.filterwarnings('ignore:DeprecationWarning. pretrained:UserWarning:mmseg')
@named([block for block in PYTHON if is_config(block)])
def test_each_config_of_a_page_builds_and_trains_a_step(block, working_folder):
    base = '' if '_base_' in block.text else f'_base_ = {str(TINY)!r}\n'
    text = f'{base}{block.text}'
    if block.text.startswith('loss_decode'):  # where the sentence before it says
        text += 'model = dict(decode_head=dict(loss_decode=loss_decode))\n'
    path = working_folder / f'{block.name}.py'
    path.write_text(text)
    cfg = Config.fromfile(path)
    init_default_scope('mmseg')
    model = MODELS.build(cfg.model)
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        for metric in evaluator if isinstance(evaluator, list) else [evaluator]:
            (EVALUATOR if metric.type == 'SemiEvaluator' else METRICS).build(metric)
    for hook in [*cfg.get('custom_hooks', []), cfg.default_hooks.checkpoint]:
        HOOKS.build(hook)
    MODELS.build({**cfg.tta_model, 'module': model})
    if 'my_configs' in block.text:
        return  # its pictures are the user's
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    batch = next(iter(Runner.build_dataloader(cfg.train_dataloader, seed=0)))
    if cfg.model.type == 'SemiEncoderDecoder':  # the same pictures in every branch
        batch = {
            key: dict.fromkeys(('labelled', 'weak', 'strong'), each)
            for key, each in batch.items()
        }
    logged = model.train_step(batch, optimizer)
    assert logged['loss'].isfinite()
    assert logged['loss'] > 0


@named(PLANS)
def test_each_plan_of_a_page_can_be_read(block, tmp_path):
    (tmp_path / 'plan.yml').write_text(block.text)
    plan = read_plan(tmp_path / 'plan.yml')
    assert plan.baseline in [cell.name for cell in plan.cells]


@named(COMMANDS)
def test_each_command_is_understood_and_done_somewhere(block, tmp_path):
    found = list(commands.recorded(block.text, tmp_path / 'block'))
    assert found
    for number, command in enumerate(found):
        script = commands.check(command, tmp_path / str(number))
        assert script in {*RUN_BY, *RUN_HERE, *BY_HAND}, script


@pytest.mark.parametrize('script', RUN_BY)
def test_what_runs_a_command_names_it(script):
    text = (ROOT / RUN_BY[script]).read_text(encoding='utf-8')
    word = script.split('/')[-1].split()[-1].removesuffix('.py').removesuffix('.sh')
    assert word in text


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for link in links(page):
        name, _, anchor = link.partition('#')
        target = page.parent / name if name else page
        assert target.exists(), link
        # What lies outside is not among the web pages.
        assert page.name == 'README.md' or not name.startswith('..'), link
        assert not anchor or anchor in anchors(target), link


def test_the_readme_leads_to_every_page():
    linked = {(ROOT / link.split('#')[0]).resolve() for link in links(PAGES[0])}
    assert {page for page in PAGES[1:] if page not in linked} == set()
