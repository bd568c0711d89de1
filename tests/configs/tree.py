"""The tree of configs, and what the name of a leaf tells."""

import functools
import re

from mmengine.config import Config
from mmengine.registry import init_default_scope

from tests.processes import ROOT

CONFIGS = ROOT / 'configs'
LEAVES = sorted(path for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts)
BASES = sorted(CONFIGS.glob('_base_/**/*.py'))
NAME = re.compile(
    r'(?P<model>[a-z0-9+-]+_[a-z0-9-]+)_'
    r'(?P<gpus>\d+)xb(?P<batch>\d+)-(?P<loss>[a-z0-9-]+?)-'
    r'(?P<baseline>mmseg)?(?P<iters>\d+k?)_'
    r'(?P<data>[a-z0-9]+(?:-[a-z]+)*)(?:-(?P<labels>\d+of\d+))?-'
    r'(?P<height>\d+)x(?P<width>\d+)'
)


def identity(path):
    """The path in the tree."""
    return path.relative_to(CONFIGS).as_posix()


@functools.cache
def load(path):
    """The parsed config, shared by all tests: to be read only."""
    init_default_scope('mmseg')
    return Config.fromfile(path)


def parts(loader):
    """The data sets that a loader reads: one, or the labelled and the unlabelled."""
    dataset = loader.dataset
    return [dataset[key] for key in ('labelled', 'unlabelled') if key in dataset] or [
        dataset
    ]


def learns_unlabelled(path):
    """Whether a leaf also learns from pictures without labels."""
    return '/semi/' in path.read_text()


def heads(cfg):
    """The heads' configs by their names, the main one first."""
    names = ('decode_head', 'auxiliary_head')
    return {name: cfg.model[name] for name in names if name in cfg.model}
