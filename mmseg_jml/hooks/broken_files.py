"""Broken images are named when a training or a test meets them."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..datasets.broken_files import name_broken_files


class BrokenFilesHook(Hook):
    """Lets the errors of the runner's datasets name the files."""

    def before_train(self, runner: Runner) -> None:
        """Before workers copy the dataset."""
        name_broken_files(runner.train_dataloader.dataset)

    def before_val(self, runner: Runner) -> None:
        """Before workers copy the dataset."""
        name_broken_files(runner.val_dataloader.dataset)

    def before_test(self, runner: Runner) -> None:
        """Before workers copy the dataset."""
        name_broken_files(runner.test_dataloader.dataset)
