"""What mkdocs builds beside the pages: the README as its index, and the API reference.

A page of the reference holds the public names of a subpackage, by the module that they
come from, whose docstring has the formulas. The sources are read, not imported.
Docstrings are plain text: before they are taken for Markdown, formulas are quoted.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (
    'functional',
    'labels',
    'losses',
    'models',
    'segmentors',
    'datasets',
    'evaluation',
    'hooks',
)


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages; mkdocs calls it by this name."""
    from mkdocs.structure.files import File

    pages = {'index.md': index_page()}
    pages |= {f'api/{package}.md': api_page(package) for package in PACKAGES}
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def index_page() -> str:
    """The README; its links are those of a file in docs/."""
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    return text.replace('](docs/', '](')


def api_page(package: str) -> str:
    """The public names of a subpackage, as directives of mkdocstrings."""
    parts = [f'# mmseg_jml.{package}\n']
    for module, names in public_names(package).items():
        members = ''.join(f'\n        - {name}' for name in names)
        parts.append(
            f'::: mmseg_jml.{package}.{module}\n    options:\n      members:{members}\n'
        )
    return '\n'.join(parts)


def public_names(package: str) -> dict[str, list[str]]:
    """What a subpackage's `__all__` names, by the module that it is imported from."""
    source = ROOT / 'mmseg_jml' / package / '__init__.py'
    tree = ast.parse(source.read_text(encoding='utf-8'))
    public: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '__all__':
            public = ast.literal_eval(node.value)
    found: dict[str, list[str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            names = [alias.name for alias in node.names if alias.name in public]
            if names:
                found[node.module] = names
    return found


CODE = re.compile(r'(`[^`]*`)')
# `a, b: as in X` in a section: the names, and what is said of them.
SHARED = re.compile(r'^( +)(\w+(?:,\s+\w+)+):\s+(.*(?:\n\1 +.*)*)', re.MULTILINE)
ENTITIES = {'<': '&lt;', '>': '&gt;', '*': '&#42;', '_': '&#95;'}


def to_markdown(docstring: str) -> str:
    """A docstring of ours as Markdown with Google's sections.

    Examples are fenced, arguments that are described together get a line each, and
    what Markdown or HTML would take for its own is quoted.
    """
    parts = []
    for paragraph in docstring.split('\n\n'):
        if paragraph.startswith('>>>'):
            parts.append(f'```pycon\n{paragraph}\n```')
        elif paragraph.startswith('    '):  # a formula, which Markdown leaves alone
            parts.append(paragraph)
        elif paragraph.startswith('| '):
            parts.append(quoted(paragraph, '<>*_'))
        else:  # an underscore may be a name's
            parts.append(quoted(SHARED.sub(one_by_one, paragraph), '<>*'))
    return '\n\n'.join(parts)


def one_by_one(match: re.Match[str]) -> str:
    """A line for each of several arguments."""
    indent, names, text = match.groups()
    return '\n'.join(f'{indent}{name}: {text}' for name in re.split(r',\s+', names))


def quoted(text: str, letters: str) -> str:
    """The text with these letters as themselves; code spans are left alone."""
    table = str.maketrans({letter: ENTITIES[letter] for letter in letters})
    parts = CODE.split(text)
    parts[::2] = [part.translate(table) for part in parts[::2]]
    # The stars of `**options: ...` are the argument's.
    return re.sub(r'^( +)&#42;&#42;(\w+:)', r'\1**\2', ''.join(parts), flags=re.M)
