"""Write the configs of the paper's grid, a README and a metafile for each folder, the
table of docs/configs.md, and the plans of the paper's tables.

Run `python tools/config_grid.py` after a change of `tools/grid`. With `--check` it
writes nothing and lists the files that are out of date.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from grid.config_text import config
from grid.leaves import ROOT, Leaf, grid
from grid.pages import metafile, overview, readme
from grid.plans import plans

DOC, START, END = 'docs/configs.md', '<!-- grid -->\n', '<!-- end of grid -->'


def folders(leaves: list[Leaf]) -> list[str]:
    """Every folder of the grid, as a path in the checkout."""
    return list(dict.fromkeys(str(Path(leaf.path).parent) for leaf in leaves))


def outputs() -> dict[str, str]:
    """The text of every file of the grid, by its path in the checkout."""
    leaves = list(grid())
    texts = {leaf.path: config(leaf) for leaf in leaves}
    for folder in folders(leaves):
        own = [leaf for leaf in leaves if str(Path(leaf.path).parent) == folder]
        texts[f'{folder}/README.md'] = readme(own)
        texts[f'{folder}/metafile.yml'] = metafile(own)
    before, rest = (ROOT / DOC).read_text('utf-8').split(START)
    after = rest.split(END)[1]
    texts[DOC] = f'{before}{START}\n{overview(leaves)}\n{END}{after}'
    return texts | plans()


def stale(root: Path = ROOT) -> list[str]:
    """The files that `main` would change, and other files in its folders."""
    texts = outputs()
    changed = [
        path
        for path, text in texts.items()
        if not (root / path).is_file() or (root / path).read_text('utf-8') != text
    ]
    own = (root / folder for folder in folders(list(grid())))
    found = (path for folder in own for path in folder.glob('*.*'))
    paths = (path.relative_to(root).as_posix() for path in found)
    return changed + [path for path in paths if path not in texts]


def main() -> None:
    """Write the files, or list those that are out of date."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument(
        '--check',
        action='store_true',
        help='list the files that are out of date; write none',
    )
    if parser.parse_args().check:
        sys.exit('\n'.join(stale()) or None)
    for path, text in outputs().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text, 'utf-8')


if __name__ == '__main__':
    main()
