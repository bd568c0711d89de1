"""CompoundLoss: what a head sees of it, and what it leaves behind."""

import copy
import gc
import io
import pickle
import weakref

import pytest
import torch
from mmseg.registry import MODELS
from torch import nn
from torch.testing import assert_close

from mmseg_jml.losses import CompoundLoss, JaccardMetricLoss, SoftCrossEntropyLoss
from tests.losses.cases import case

CE = dict(type='SoftCrossEntropyLoss', loss_weight=0.25)
JML = dict(type='JaccardMetricLoss', loss_weight=0.75)
BLS = dict(type='BoundaryLabelSmoothing')


def compound(**more):
    return CompoundLoss(losses=[CE, JML], **more)


def as_a_head(loss, logits, label):
    """The loop of BaseDecodeHead over a ModuleList."""
    logged = {}
    for part in loss:
        value = part(logits, label, weight=None, ignore_index=255)
        if part.loss_name in logged:
            logged[part.loss_name] += value
        else:
            logged[part.loss_name] = value
    return logged


def alone(**more):
    return [MODELS.build(dict(part, **more)) for part in (CE, JML)]


@pytest.fixture
def count(monkeypatch):
    """How often a batch of parts is computed."""
    calls = []
    original = CompoundLoss.compute_all

    def counted(self, *args):
        calls.append(args)
        return original(self, *args)

    monkeypatch.setattr(CompoundLoss, 'compute_all', counted)
    return calls


def test_each_part_is_logged_with_its_own_value_and_gradient():
    logits, label = case()
    logged = as_a_head(compound(label_smoothing=BLS), logits, label)
    for part in alone(label_smoothing=BLS):
        expected = part(logits, label)
        assert_close(logged[part.loss_name], expected)
        grads = [
            torch.autograd.grad(v, logits, retain_graph=True)[0]
            for v in (logged[part.loss_name], expected)
        ]
        assert_close(*grads)


def test_the_parts_of_one_step_are_computed_once(count):
    as_a_head(compound(), *case())
    assert len(count) == 1


def test_a_second_step_is_computed_anew():
    loss = compound()
    first = as_a_head(loss, *case(seed=0))
    second = as_a_head(loss, *case(seed=1))
    for part in alone():
        assert_close(first[part.loss_name], part(*case(seed=0)))
        assert_close(second[part.loss_name], part(*case(seed=1)))


def test_a_result_is_handed_over_once():
    logits, label = case()
    parts = list(compound())
    first = parts[1](logits, label)
    assert parts[1](logits, label) is not first
    assert_close(parts[1](logits, label), first)


def test_a_part_called_out_of_turn_computes_alone():
    logits, label = case()
    other, other_label = case(seed=1)
    ce, jml = compound()
    ce(logits, label)
    assert_close(jml(other, other_label), alone()[1](other, other_label))


def test_a_result_without_a_graph_is_not_handed_to_a_call_that_wants_one():
    logits, label = case()
    ce, jml = compound()
    with torch.no_grad():
        ce(logits, label)
    assert jml(logits, label).requires_grad


def test_a_part_can_be_copied():
    logits, label = case()
    part = copy.deepcopy(next(iter(compound())))
    assert_close(part(logits, label), alone()[0](logits, label))


def test_a_part_taken_by_index_computes_alone(count):
    logits, label = case()
    loss = compound(label_smoothing=BLS)
    values = [loss[i](logits, label) for i in range(len(loss))]
    assert not count
    assert_close(values, [p(logits, label) for p in alone(label_smoothing=BLS)])


def test_results_may_be_added_in_place():
    logits, label = case()
    one_name = CompoundLoss(losses=[JML, JML, JML])
    logged = as_a_head(one_name, logits, label)
    logged['loss_jml'].backward()
    assert_close(logged['loss_jml'].detach(), 3 * alone()[1](logits, label).detach())


def test_called_as_one_loss_it_is_the_sum_of_its_parts():
    logits, label = case()
    loss = compound(loss_name='loss_both')
    assert loss.loss_name == 'loss_both'
    assert_close(loss(logits, label), sum(part(logits, label) for part in alone()))


def test_the_target_is_made_once_for_the_parts_that_share_it(monkeypatch):
    made = []
    loss = compound(label_smoothing=BLS)
    transform = loss[0].label_smoothing
    original = type(transform).epsilon_map
    monkeypatch.setattr(
        type(transform), 'epsilon_map', lambda *a: made.append(1) or original(*a)
    )
    as_a_head(loss, *case())
    assert len(made) == 1


def test_parts_with_targets_of_their_own_keep_them():
    logits, label = case()
    loss = CompoundLoss(losses=[CE, dict(JML, label_smoothing=BLS)])
    logged = as_a_head(loss, logits, label)
    assert_close(logged['loss_ce'], alone()[0](logits, label))
    assert_close(logged['loss_jml'], alone(label_smoothing=BLS)[1](logits, label))


def test_losses_of_mmsegmentation_join_with_the_heads_label():
    logits, label = case(dtype=torch.float32)
    theirs = dict(type='CrossEntropyLoss', loss_name='loss_theirs')
    loss = CompoundLoss(losses=[theirs, JML])
    logged = as_a_head(loss, logits, label)
    expected = MODELS.build(theirs)(logits, label, weight=None, ignore_index=255)
    assert_close(logged['loss_theirs'], expected)


def test_a_loss_of_mmsegmentation_called_out_of_turn_keeps_its_own_ignore_index():
    logits, label = case(dtype=torch.float32)
    label = label.where(label != 255, -100)  # what CrossEntropyLoss ignores by default
    theirs = dict(type='CrossEntropyLoss', loss_name='loss_theirs')
    part = next(iter(CompoundLoss(losses=[theirs])))
    first = part(logits, label)
    assert_close(part(logits, label), first)


def test_nothing_outlives_the_step():
    loss = compound()
    logits, label = case()
    hidden = logits * 1
    logged = as_a_head(loss, hidden, label)
    reference = weakref.ref(hidden)
    del hidden, logged
    gc.collect()
    assert reference() is None


def test_it_is_a_module_list_without_anything_to_save():
    loss = CompoundLoss(losses=[dict(CE, class_weight=[1.0] * 5), JML])
    assert isinstance(loss, nn.ModuleList)
    assert len(loss) == 2
    assert isinstance(loss[0], SoftCrossEntropyLoss)
    assert isinstance(loss[1], JaccardMetricLoss)
    assert not loss.state_dict()
    assert 'JaccardMetricLoss' in repr(loss)


class Net(nn.Module):
    """A head in miniature."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 5, 1)
        self.loss_decode = compound(label_smoothing=BLS)

    def step(self, optimizer, seed):
        images = torch.randn(2, 3, 9, 11, generator=torch.Generator().manual_seed(seed))
        logged = as_a_head(self.loss_decode, self.conv(images), case(seed=seed)[1])
        optimizer.zero_grad()
        sum(logged.values()).backward()
        optimizer.step()


def run(net, seeds):
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    for seed in seeds:
        net.step(optimizer, seed)
    return net


def test_three_steps_survive_deepcopy_checkpoint_and_resume():
    straight = run(Net(), [0, 1, 2])
    net = run(Net(), [0])
    net = run(copy.deepcopy(net), [1])
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    resumed = Net()
    resumed.load_state_dict(torch.load(file, weights_only=True))
    run(resumed, [2])
    assert_close(dict(resumed.named_parameters()), dict(straight.named_parameters()))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(losses=[]), '`losses` must be a list of at least one'),
        (dict(losses=[CE], loss_name='both'), "`loss_name` must contain 'loss'"),
        (
            dict(losses=[dict(CE, label_smoothing=BLS)], label_smoothing=BLS),
            'on CompoundLoss or on its parts, got both',
        ),
        (
            dict(losses=[dict(type='DiceLoss'), JML], label_smoothing=BLS),
            'needs parts that take soft targets.*got DiceLoss',
        ),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        CompoundLoss(**options)


def test_the_parts_of_a_loop_are_the_losses_themselves():
    loss = compound()
    assert [part is loss[i] for i, part in enumerate(loss)] == [True, True]
    kinds = [SoftCrossEntropyLoss, JaccardMetricLoss]
    assert [type(part) for part in loss] == kinds
    assert all(part in loss for part in loss.children())


@pytest.mark.parametrize('take', [list, lambda x: x[:], lambda x: [x[0], x[1]], iter])
def test_a_weight_that_a_hook_sets_on_a_part_is_used(take):
    loss = compound()
    for part in take(loss):
        part.loss_weight = 0
    assert list(as_a_head(loss, *case()).values()) == [0, 0]
    assert loss(*case()) == 0


def test_an_option_set_inside_of_the_heads_loop_is_used():
    logits, label = case()
    values = []
    for part in compound():
        part.loss_weight = 2.0
        values.append(part(logits, label))
    assert_close(values, [p(logits, label) for p in alone(loss_weight=2.0)])


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('variant', 'sjl_l2'),
        ('active_classes', 'label'),
        ('threshold', 0.9),
        ('reduction', dict(image=1.0)),
        ('alpha', 2.0),
        ('beta', 2.0),
        ('gamma', 2.0),
        ('log_loss', True),
        ('smooth', 100.0),
        ('use_sigmoid', True),
        ('temperature', 3.0),
        ('ignore_index', 0),
        ('loss_weight', 3.0),
    ],
)
def test_an_option_set_on_a_part_is_as_if_the_loss_were_built_with_it(name, value):
    logits, label = case()
    label = label.where(label < 4, 0)
    loss = CompoundLoss(losses=[CE, dict(JML, active_classes='prob', threshold=0.6)])
    setattr(loss[1], name, value)
    built = dict(JML, active_classes='prob', threshold=0.6) | {name: value}
    expected = MODELS.build(built)(logits, label)
    assert_close(list(as_head_values(loss, logits, label))[1], expected)
    before = MODELS.build(dict(JML, active_classes='prob', threshold=0.6))
    assert before(logits, label) != expected


def as_head_values(loss, logits, label):
    return [part(logits, label) for part in loss]


def test_an_option_set_outside_of_its_range_is_refused_at_the_call():
    loss = compound()
    loss[1].alpha = -1.0
    with pytest.raises(ValueError, match='`alpha` must be'):
        as_a_head(loss, *case())


@pytest.mark.parametrize('name', ['loss_weight', 'label_smoothing', 'smooth'])
def test_an_option_of_the_parts_set_on_the_whole_is_refused(name):
    with pytest.raises(AttributeError, match=f'no option `{name}`.*on each part'):
        setattr(compound(), name, 0)


def test_a_slice_is_a_loss_of_its_parts(count):
    logits, label = case()
    loss = CompoundLoss(losses=[dict(type='CrossEntropyLoss'), CE, JML])
    part = loss[1:]
    assert isinstance(part, CompoundLoss)
    assert list(part) == [loss[1], loss[2]]
    assert_close(part(logits, label), sum(p(logits, label) for p in alone()))
    assert len(count) == 1
    assert len(loss) == 3


def test_a_list_that_is_changed_is_computed_as_it_is():
    logits, label = case()
    loss = compound()
    loss.append(MODELS.build(dict(CE, loss_name='loss_more')))
    loss[0] = MODELS.build(dict(CE, loss_weight=3.0))
    del loss[1]
    values = as_a_head(loss, logits, label)
    assert_close(values['loss_ce'], 12 * values['loss_more'])
    assert_close(
        sum(as_head_values(loss + alone(), logits, label)),
        loss(logits, label) + compound()(logits, label),
    )


@pytest.mark.parametrize(
    'copied', [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copy_computes_what_the_loss_computes(copied):
    logits, label = case()
    loss = compound(label_smoothing=BLS)
    loss[0].loss_weight = 7.0
    other = copied(loss)
    assert_close(as_a_head(other, logits, label), as_a_head(loss, logits, label))
    other[0].loss_weight = 0
    assert loss[0].loss_weight == 7.0


def test_a_pickled_part_of_a_loop_is_called_alone():
    logits, label = case()
    for part, other in zip(compound(), alone(), strict=True):
        copied = pickle.loads(pickle.dumps(part))
        assert_close(copied(logits, label), other(logits, label))


def test_a_loop_that_is_left_early_leaves_nothing_behind():
    loss = compound()
    for _part in loss:
        break
    with pytest.raises(ValueError, match='`avg_factor`'):
        [part(*case(), avg_factor=1.0) for part in loss]
    assert all('forward' not in vars(part) for part in loss.children())


def test_loops_over_one_loss_may_end_in_any_order():
    loss = compound()
    for part, other in zip(loss, loss, strict=True):
        assert_close(part(*case()), other(*case()))
    first, second = iter(loss), iter(loss)
    next(first), next(second)
    first.close()
    second.close()
    assert all('forward' not in vars(part) for part in loss.children())


def test_class_weights_changed_in_place_many_times_leave_the_computation_shared(
    monkeypatch,
):
    loss = CompoundLoss(
        losses=[dict(part, class_weight=[1, 2, 3, 4, 5]) for part in (CE, JML)]
    )
    for part in loss:
        for _ in range(300):  # larger numbers than Python keeps one object of
            part.class_weight.add_(0)
    monkeypatch.setattr(loss, 'compute_one', None)
    assert len(as_a_head(loss, *case())) == 2


def test_a_loss_built_in_inference_mode_keeps_its_values():
    with torch.inference_mode():
        loss = CompoundLoss(
            losses=[dict(part, class_weight=[1, 2, 3, 4, 5]) for part in (CE, JML)]
        )
        found = [part(*case()) for part in loss]
    for value, other in zip(found, alone(class_weight=[1, 2, 3, 4, 5]), strict=True):
        assert value.item() == pytest.approx(other(*case()).item())


class IgnoredToLowest(nn.Module):
    """A loss that changes the head's own label, as public Dice losses do."""

    loss_name = 'loss_other'

    def forward(self, logits, target, weight=None, ignore_index=255):
        target[target == ignore_index] = target.min()
        return logits.mean() * 0


@pytest.mark.parametrize('place', [0, 1, 2])
def test_a_part_that_changes_the_label_gives_the_values_of_a_plain_list(place):
    logits, label = case()

    def values(make):
        parts = alone()
        parts.insert(place, IgnoredToLowest())
        given = label.clone()
        return [part(logits, given, ignore_index=255) for part in make(parts)]

    expected = values(nn.ModuleList)
    assert_close(values(lambda parts: CompoundLoss(losses=parts)), expected)


def test_called_as_one_loss_its_parts_are_computed_in_their_order():
    logits, label = case()
    loss = CompoundLoss(losses=[IgnoredToLowest(), JML])
    given = label.clone()
    expected = alone()[1](logits, label.where(label != 255, label.min()))
    assert_close(loss(logits, given), expected)
