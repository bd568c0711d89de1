"""A test leaves the config of the training that lies in the same folder as it is."""

from pathlib import Path

from mmengine.dist import master_only
from mmengine.runner import Runner


class TestRunner(Runner):
    """A Runner that writes its config into the folder of its log.

    MMEngine's writes it into the work dir, over that of the training. A benchmark then
    takes the settings of the test for those of the training.
    """

    __test__ = False  # for pytest

    @master_only
    def dump_config(self) -> None:
        """Write the config, named as its file is."""
        name = Path(self.cfg.filename).name if self.cfg.filename else 'config.py'
        self.cfg.dump(Path(self.log_dir) / name)
