"""A test does not overwrite the config of the training run in the same folder."""

from pathlib import Path

from mmengine.dist import master_only
from mmengine.runner import Runner


class TestRunner(Runner):
    """A Runner that writes its config into the folder of its log.

    MMEngine's Runner writes it into the work dir, over the config of the training run.
    A benchmark would then mistake the settings of the test for those of the training.
    """

    __test__ = False  # for pytest

    @master_only
    def dump_config(self) -> None:
        """Write the config under the name of its file."""
        name = Path(self.cfg.filename).name if self.cfg.filename else 'config.py'
        self.cfg.dump(Path(self.log_dir) / name)
