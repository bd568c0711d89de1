"""A training that takes no time: Python runs this first where it is on the path.

`python -m mmseg_jml train` then writes a checkpoint for each iteration and notes its
command in `calls` of the work dir; a test leaves a result. Environment: `STUB_PAUSE` is
the seconds of an iteration, `STUB_STOP` the last one, if it is not
`train_cfg.max_iters`; jobs whose folder's path holds the word `STUB_BREAK` fail.
MMSegmentation, which takes seconds to import, is kept out: runners do without it.
"""

import json
import os
import sys
import time
import zipfile
from pathlib import Path

sys.modules['mmseg'] = None
words = sys.orig_argv


def after(flag, default=None):
    """The word behind a flag."""
    return words[words.index(flag) + 1] if flag in words else default


def train(folder):
    """Write `iter_<n>.pth` up to `train_cfg.max_iters`."""
    options = dict(w.split('=', 1) for w in words if '=' in w)
    resumed = Path(after('--resume', 'iter_0.pth')).stem.removeprefix('iter_')
    last = os.environ.get('STUB_STOP') or options['train_cfg.max_iters']
    for n in range(int(resumed) + 1, int(last) + 1):
        time.sleep(float(os.environ.get('STUB_PAUSE', 0)))
        zipfile.ZipFile(folder / f'iter_{n}.pth', 'w').close()
        (folder / 'last_checkpoint').write_text(f'{folder}/iter_{n}.pth')


def test(folder):
    """Leave the result of a test as MMEngine does."""
    (folder / '1' / '1.json').parent.mkdir(exist_ok=True)
    (folder / '1' / '1.json').write_text('{"mIoU": 50.0}')


if '-m' in words and words[words.index('-m') + 1 :][:1] == ['mmseg_jml']:
    job = words[words.index('-m') + 2]
    if job in ('train', 'test'):
        folder = Path(after('--work-dir'))
        folder.mkdir(parents=True, exist_ok=True)
        call = {'pid': os.getpid(), 'words': words[words.index('-m') + 2 :]}
        call['environment'] = {k: os.environ.get(k) for k in ('DEEPGLOBE_FOLD',)}
        with (folder / 'calls').open('a') as file:
            file.write(json.dumps(call) + '\n')
        word = os.environ.get('STUB_BREAK')
        if word and word in str(folder):
            print('it is broken')
            os._exit(3)
        {'train': train, 'test': test}[job](folder)
        os._exit(0)
