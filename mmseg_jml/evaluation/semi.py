"""Metrics of a semi-supervised segmentor, by the model that predicted."""

import copy
from collections.abc import Sequence
from typing import Any

from mmengine.dist import all_gather_object
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement
from mmseg.evaluation import IoUMetric
from mmseg.registry import EVALUATOR

from .calibration import CalibrationMetric
from .confusion import ConfusionMatrixMetric
from .tta import MERGED


@EVALUATOR.register_module()
class SemiEvaluator(Evaluator):
    """An Evaluator whose keys say which model was measured: `ema/mIoU`, `student/mIoU`.

    Which these are is for the `eval_model` of the SemiEncoderDecoder to say. Test-time
    augmentation merges the first of two alone.

        val_evaluator = dict(type='SemiEvaluator', metrics=[dict(type='IoUMetric')])

    Args:
        metrics: the config of a metric, or of several; `metrics` holds those of the
            model whose predictions the data samples are, the average where there are
            two.

    >>> SemiEvaluator(metrics=[]).metrics
    []
    """

    def __init__(self, metrics: Any) -> None:
        super().__init__(metrics)
        self.students = Evaluator(copy.deepcopy(self.metrics))
        for metric in self.students.metrics:
            _write_nothing(metric)
        self.name: str | None = None
        self.two = False

    def process(
        self, data_samples: Sequence[BaseDataElement], data_batch: Any = None
    ) -> None:
        """Hand each metric the predictions of its model.

        Raises:
            ValueError: the data samples are not of a SemiEncoderDecoder.
        """
        if any('eval_model' not in sample for sample in data_samples):
            raise ValueError(
                'SemiEvaluator measures the predictions of a SemiEncoderDecoder; for '
                'other models use a list of metrics as the evaluator'
            )
        super().process(data_samples, data_batch)
        self.name = data_samples[0].eval_model
        students = [
            sample.student
            for sample in data_samples
            if 'student' in sample and MERGED not in sample
        ]
        if students:
            self.two = True
            self.students.dataset_meta = self.dataset_meta
            self.students.process(students, data_batch)

    def evaluate(self, size: int) -> dict[str, float]:
        """The metrics of the `size` images that were processed."""
        # Metrics print tables, which do not say whose they are.
        print_log(f'The {self.name} model:', logger='current')
        found = {f'{self.name}/{k}': v for k, v in super().evaluate(size).items()}
        # A rank without an image has to take part in what the others sum up.
        if any(all_gather_object(self.two)):
            self.students.dataset_meta = self.dataset_meta
            print_log('The student model:', logger='current')
            students = self.students.evaluate(size)
            found |= {f'student/{k}': v for k, v in students.items()}
        self.two = False
        return found


def _write_nothing(metric: BaseMetric) -> None:
    """Keep the files of a metric for the model whose predictions come first."""
    if isinstance(metric, CalibrationMetric):
        metric.per_image_csv = False
    elif isinstance(metric, ConfusionMatrixMetric):
        metric.writes = False
    elif isinstance(metric, IoUMetric):
        metric.output_dir = None
