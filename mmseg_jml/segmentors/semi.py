"""A segmentor that learns from images with labels and from others without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, get_args

import torch
from mmengine.dist import get_rank
from mmseg.models import EncoderDecoder
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from ..functional.checks import check_number
from ..functional.pseudo_labels import ramp_up
from ..functional.targets import IGNORE_INDEX, valid_mask
from ..models.binary import drop_background_share
from .ema import build_ema, step_ema
from .unlabelled import UnlabelledObjective

EvalModel = Literal['ema', 'student', 'both']
NO_TRUTH = -1  # the true label where there is none
# 1 - 1 / (i + 1) in iteration i, at most 0.996, as in UniMatch V2.
EMA = {'type': 'MomentumAnnealingEMA', 'momentum': 0.004, 'gamma': 1}


@MODELS.register_module()
class SemiEncoderDecoder(EncoderDecoder):
    """An EncoderDecoder that also learns from images without labels.

    The teacher is a moving average of the student. It labels the weak view of an image,
    and the student learns these labels on other views of that image. In a checkpoint
    the student has the keys of the plain model, and the teacher's keys begin with
    `teacher.`; `tools/export.py` writes either as a plain checkpoint. The average is
    updated at the beginning of each training loss; in iteration 0 the teacher equals
    the student.

    Outside of the losses, `eval_model` chooses the model: in `predict`,
    `mode='tensor'`, `inference`, `encode_decode`, a trace or an export. Before the
    first update that is the student. `extract_feat` and the heads are the student's.

    A training batch has the branches 'labelled', 'weak' and, if a view needs them,
    'strong' and 'strong_2'. It needs a SemiSegDataPreprocessor. All branches but the
    first hold the same crops in the same order. The labels in 'weak' are used only to
    find the padding (255) and, for images with `has_label`, to log how many
    pseudo-labels are right. Auxiliary heads learn only from labels.

    Args:
        unlabelled: How to learn from pseudo-labels: the options `loss`, `views`,
            `cutmix` and `mean_over` of UnlabelledObjective.
        pseudo_label: How to make pseudo-labels: the options `kind`, `threshold` and
            `temperature` of `functional.pseudo_labels`. By default they are the
            teacher's probabilities.
        ramp_up: The number of iterations over which the weight of the unlabelled losses
            rises.
        ema: The config of an averaged model of MMEngine.
        eval_model: The model that predicts, 'ema' | 'student' | 'both'. SemiEvaluator
            names it in the metrics. With 'both' the data samples hold the predictions
            of the average and, under `student`, those of the student.
        **kwargs: As in EncoderDecoder.

    Raises:
        TypeError, ValueError: An option has the wrong type or is out of range.
    """

    def __init__(
        self,
        *,
        unlabelled: Mapping[str, Any],
        pseudo_label: Mapping[str, Any] | None = None,
        ramp_up: int = 0,
        ema: Mapping[str, Any] = EMA,
        eval_model: EvalModel = 'ema',
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_number('ramp_up', ramp_up, 0)
        if eval_model not in get_args(EvalModel):
            raise ValueError(
                f'`eval_model` must be one of {get_args(EvalModel)}, got {eval_model!r}'
            )
        self.teacher = build_ema(ema, self)
        self.unlabelled = UnlabelledObjective(
            pseudo_label=pseudo_label or {},
            num_classes=max(self.out_channels, 2),
            **unlabelled,
        )
        self.ramp_up = ramp_up
        self.eval_model = eval_model
        # As a number, which a trace or an export need not read from a tensor.
        self.stepped = False
        self.register_load_state_dict_post_hook(_note_steps)

    def train(self, mode: bool = True) -> SemiEncoderDecoder:
        """Set the student's mode; the teacher stays in `eval()`."""
        super().train(mode)
        self.teacher.eval()
        _note_steps(self)  # of a copy that was filled tensor by tensor
        return self

    def loss(
        self, inputs: Mapping[str, Tensor], data_samples: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """The losses of the labelled branch, those of each view, and figures to log."""
        check_branches(inputs, self.unlabelled.branches)
        iteration = int(self.teacher.steps)
        if self.training:
            step_ema(self.teacher, self)
            self.stepped = True
        losses = super().loss(inputs['labelled'], data_samples['labelled'])
        drop_background_share(self, losses)
        valid, truth = read_weak(data_samples['weak'])
        logits = self._teacher_logits(inputs['weak'])
        labels, figures = self.unlabelled.teach(logits, valid, truth)
        generator = generator_of(iteration)
        factor = ramp_up(iteration, self.ramp_up)
        for view, weight in self.unlabelled.views.items():
            pictures = inputs['weak' if view == 'features' else view]
            pictures, target = self.unlabelled.mixed(view, pictures, labels, generator)
            features = self.extract_feat(pictures)
            features = self.unlabelled.perturbed(view, features, generator)
            found = self.unlabelled.losses(
                head_logits(self, features, pictures.shape[2:]), target
            )
            losses |= {f'{view}.{k}': weight * factor * v for k, v in found.items()}
        return losses | figures

    @torch.no_grad()
    def _teacher_logits(self, pictures: Tensor) -> Tensor:
        model = self.teacher.module
        return head_logits(model, model.extract_feat(pictures), pictures.shape[2:])

    def predict(
        self, inputs: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> list[SegDataSample]:
        """The predictions of the model that is to be evaluated, or of both."""
        if self.eval_model != 'both':
            return marked(super().predict(inputs, data_samples), self.eval_model)
        copies = data_samples and [sample.clone() for sample in data_samples]
        with self._evaluating('student'):
            students = self.predict(inputs, copies)
        with self._evaluating('ema'):
            found = self.predict(inputs, data_samples)
        for sample, student in zip(found, students, strict=True):
            sample.student = student
        return found

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """The logits (N,C,H,W) of the model that is to be evaluated."""
        average = self._average()
        if average is None:
            return super().encode_decode(inputs, batch_img_metas)
        return average.encode_decode(inputs, batch_img_metas)

    def _forward(self, inputs: Tensor, data_samples: Any = None) -> Any:
        """What its head gives: that of the model that is to be evaluated."""
        average = self._average()
        if average is None:
            return super()._forward(inputs, data_samples)
        return average._forward(inputs, data_samples)

    def _average(self) -> EncoderDecoder | None:
        """The average, or None where the student is to be evaluated."""
        # Without a step the average is whatever the model was built with.
        if self.eval_model == 'student' or not self.stepped:
            return None
        return self.teacher.module

    @contextmanager
    def _evaluating(self, name: EvalModel) -> Iterator[None]:
        before, self.eval_model = self.eval_model, name
        try:
            yield
        finally:
            self.eval_model = before


def _note_steps(model: SemiEncoderDecoder, _: Any = None) -> None:
    """Note whether the average has been stepped."""
    model.stepped = int(model.teacher.steps) > 0


def check_branches(inputs: Any, needed: Sequence[str]) -> None:
    """Check that a batch has all branches.

    Raises:
        ValueError: A branch is missing; the message names the branches.
    """
    given = tuple(inputs) if isinstance(inputs, Mapping) else None
    if given is None or not set(needed) <= set(given):
        came = 'no branches' if given is None else given
        raise ValueError(
            f'the training batch of a SemiEncoderDecoder must have the branches '
            f'{tuple(needed)}, got {came}: they come from a SemiSupervisedDataset '
            'and `branch_collate`, through a SemiSegDataPreprocessor'
        )


def read_weak(samples: Sequence[SegDataSample]) -> tuple[Tensor, Tensor]:
    """Where images (N,H,W) are not padded, and their label where it is known."""
    maps = torch.stack([sample.gt_sem_seg.data[0].long() for sample in samples])
    known = [bool(sample.metainfo.get('has_label')) for sample in samples]
    known = torch.tensor(known, device=maps.device)[:, None, None]
    return valid_mask(maps, IGNORE_INDEX), maps.where(known, NO_TRUTH)


def head_logits(
    model: EncoderDecoder, features: Sequence[Tensor], size: torch.Size
) -> Tensor:
    """The logits (N,C,*size) of the decode head, resized as its loss resizes them.

    Raises:
        TypeError: the head's output is something else.
    """
    logits = model.decode_head.forward(features)
    if not isinstance(logits, Tensor):
        raise TypeError(
            '`decode_head` of a SemiEncoderDecoder must return the logits of pixels, '
            f'got {type(logits).__name__} from {type(model.decode_head).__name__}'
        )
    return resize(logits, size=size, mode='bilinear', align_corners=model.align_corners)


def generator_of(iteration: int) -> torch.Generator:
    """The random generator of an iteration on this rank, the same after a resume."""
    # Of integers alone: the same in every process.
    seed = hash((torch.initial_seed(), get_rank(), iteration)) % 2**63
    return torch.Generator().manual_seed(seed)


def marked(samples: list[SegDataSample], name: str) -> list[SegDataSample]:
    """The samples, which now say whose predictions they hold."""
    for sample in samples:
        sample.set_metainfo({'eval_model': name})
    return samples
