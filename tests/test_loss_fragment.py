"""The losses of a fragment take the place of a config's."""

import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS

from mmseg_jml.loss_fragment import find_fragment, use_loss
from tests.configs.tree import CONFIGS

LOSSES = CONFIGS / '_base_' / 'losses'
OLD = {'type': 'Old', 'loss_weight': 3.0}


def fragment(name):
    return Config.fromfile(LOSSES / f'{name}.py').to_dict()


def model(*heads, **keys):
    """The config of a model with the loss `Old` in each head."""
    own = {'type': 'A', **{head: {'loss_decode': OLD} for head in heads}}
    return Config({'model': own | keys})


def test_the_only_head_gets_the_whole_loss():
    cfg = model('decode_head')
    use_loss(cfg, 'jml-bls')
    assert cfg.model.decode_head.loss_decode == fragment('jml-bls')['loss_decode']


def test_an_auxiliary_head_gets_its_own():
    cfg = model('decode_head', 'auxiliary_head')
    use_loss(cfg, 'jml')
    assert cfg.model.decode_head.loss_decode == fragment('jml')['loss_main']
    assert cfg.model.auxiliary_head.loss_decode == fragment('jml')['loss_aux']


def test_of_a_cascade_the_last_is_the_main_head():
    first, last, auxiliary = ({'loss_decode': [OLD]} for _ in range(3))
    cfg = model(decode_head=[first, last], auxiliary_head=[auxiliary])
    use_loss(cfg, 'ce')
    cascade, others = cfg.model.decode_head, cfg.model.auxiliary_head
    assert cascade[1].loss_decode == fragment('ce')['loss_main']
    assert cascade[0].loss_decode == fragment('ce')['loss_aux']
    assert others[0].loss_decode == fragment('ce')['loss_aux']


def test_a_student_gets_the_losses_to_its_teacher():
    for heads, role in (
        (['decode_head'], 'decode'),
        (['decode_head', 'auxiliary_head'], 'main'),
    ):
        cfg = model(*heads, teacher='t.py', distill_losses=[OLD])
        use_loss(cfg, 'cwd')
        assert cfg.model.decode_head.loss_decode == fragment('cwd')[f'loss_{role}']
        assert cfg.model.distill_losses == fragment('cwd')[f'distill_{role}']
        assert cfg.model.auxiliary_distill_losses is None


@pytest.mark.parametrize('loss', ['ce', 'ce-bls', 'jml', 'jml-ls', 'jml-bls', 'dice'])
def test_a_head_of_one_channel_trains_with_it(loss):
    cfg = model(decode_head={'num_classes': 2, 'out_channels': 1})
    use_loss(cfg, loss)
    built = MODELS.build(cfg.model.decode_head.loss_decode)
    logits = torch.zeros(1, 1, 4, 4, requires_grad=True)
    label = torch.zeros(1, 4, 4, dtype=torch.long)
    label[..., 2:] = 1
    found = built(logits, label, ignore_index=255)
    total = sum(found.values()) if isinstance(found, dict) else found
    total.backward()
    assert logits.grad[..., :2].min() > 0 > logits.grad[..., 2:].max()


def test_a_taught_head_of_one_channel_has_sigmoids_everywhere():
    cfg = model(decode_head={'num_classes': 1}, teacher='t.py')
    use_loss(cfg, 'jml-kd')
    losses = [*cfg.model.decode_head.loss_decode.losses, *cfg.model.distill_losses]
    assert [loss.use_sigmoid for loss in losses] == [True] * 4


def test_a_file_is_a_fragment(tmp_path):
    mine = tmp_path / 'mine.py'
    mine.write_text("loss_decode = dict(type='Mine')\n")
    cfg = model('decode_head')
    use_loss(cfg, str(mine))
    assert cfg.model.decode_head.loss_decode == {'type': 'Mine'}
    assert find_fragment(str(mine)) == mine


@pytest.mark.parametrize(
    ('cfg', 'loss', 'sentence'),
    [
        (model('decode_head'), 'cwd', "must be one without a teacher.* got 'cwd'"),
        (model('decode_head', teacher='t.py'), 'jml', 'must be one with a teacher'),
        (
            model('decode_head', 'auxiliary_head'),
            'mmseg-ce',
            "must have a `loss_main` for this model, got 'mmseg-ce'",
        ),
        (Config({}), 'jml', 'a model with a `decode_head`'),
    ],
)
def test_what_does_not_fit_is_refused(cfg, loss, sentence):
    with pytest.raises(ValueError, match=sentence):
        use_loss(cfg, loss)


def test_an_unknown_loss_is_answered_with_the_known():
    with pytest.raises(FileNotFoundError, match=r"no loss 'jnl'.*jml-bls"):
        use_loss(model('decode_head'), 'jnl')
