"""Find, list and copy the configs that are shipped with the package.

They are in `mmseg_jml/.configs` in a wheel, and next to the package in a checkout.
"""

import difflib
import shutil
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CONSTRAINTS = '.constraints.txt'  # its name in a wheel, which setup.py gives it


def configs_dir() -> Path:
    """Return the folder of the shipped configs.

    Raises:
        FileNotFoundError: the configs were not installed.
    """
    for folder in (PACKAGE / '.configs', PACKAGE.parent / 'configs'):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f'no configs were installed with {PACKAGE}: reinstall mmseg_jml'
    )


def constraints_file() -> Path:
    """Return the file with the tested versions of packages, for `pip install -c`.

    Raises:
        FileNotFoundError: the file was not installed.
    """
    checkout = PACKAGE.parent / 'requirements'
    for path in (PACKAGE / CONSTRAINTS, checkout / 'constraints.txt'):
        if path.is_file():
            return path
    raise FileNotFoundError(
        f'no constraints were installed with {PACKAGE}: reinstall mmseg_jml'
    )


def leaves() -> list[str]:
    """Return the shipped configs that can be run, as sorted relative paths."""
    root = configs_dir()
    paths = (path.relative_to(root) for path in root.rglob('*.py'))
    return sorted(path.as_posix() for path in paths if '_base_' not in path.parts)


def find_config(config: str) -> Path:
    """Return the path of `config`, which is a file or the name of a shipped config.

    A leading `configs/` is removed from the name of a shipped config, so that commands
    for a checkout also work without one.

    Raises:
        FileNotFoundError: there is no such config; the message suggests the nearest.
    """
    if Path(config).is_file():
        return Path(config)
    inside = config.removeprefix('configs/')
    # An absolute path would leave the tree.
    if not Path(inside).is_absolute() and (configs_dir() / inside).is_file():
        return configs_dir() / inside
    raise FileNotFoundError(
        f'there is no config {config!r}, neither as a file nor among the shipped ones; '
        + _hint(inside)
    )


def _hint(config: str) -> str:
    known = leaves()
    close = difflib.get_close_matches(config, known, n=3, cutoff=0.6)
    if not close:  # the folder may be right
        folder = Path(config).parent.as_posix()
        close = [leaf for leaf in known if Path(leaf).parent.as_posix() == folder][:5]
    if not close:
        return 'run `python -m mmseg_jml configs` to list the shipped configs'
    return 'did you mean one of these?' + ''.join(f'\n    {leaf}' for leaf in close)


def copy_configs(dest: Path, *, force: bool = False) -> tuple[int, int]:
    """Copy the shipped configs to `dest`; return how many were copied and were there.

    Nothing is copied if a file in `dest` differs from the shipped one, unless `force`.

    Raises:
        FileExistsError: files differ and `force` is False.
        NotADirectoryError: `dest` is a file.
    """
    if dest.exists() and not dest.is_dir():
        raise NotADirectoryError(f'`DEST` must be a folder, but {dest} is a file')
    root = configs_dir()
    sources = [path for path in sorted(root.rglob('*')) if _is_shipped(path)]
    targets = {path: dest / path.relative_to(root) for path in sources}
    todo = {s: t for s, t in targets.items() if not _same(s, t)}
    changed = [str(target) for target in todo.values() if target.exists()]
    if changed and not force:
        raise FileExistsError(
            f'nothing was copied: {len(changed)} files in {dest} differ from the '
            f'shipped ones ({", ".join(changed[:3])}{", ..." if changed[3:] else ""}); '
            f'choose another folder, or overwrite them with --force'
        )
    for source, target in todo.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return len(todo), len(targets) - len(todo)


def _is_shipped(path: Path) -> bool:
    return path.is_file() and '__pycache__' not in path.parts


def _same(source: Path, target: Path) -> bool:
    return target.is_file() and target.read_bytes() == source.read_bytes()
