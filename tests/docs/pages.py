"""The pages of the documentation: their fenced blocks, commands, links and anchors."""

import ast
import re
from pathlib import Path
from typing import NamedTuple

from tests.processes import ROOT

PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
FENCE = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
INLINE = re.compile(r'`([^`]+)`')
PROGRAMS = ('python ', 'bash ', 'make ', 'pip ', 'torchrun ')
LINK = re.compile(r'\[[^\]]*\]\(([^)\s]+)\)')
HEADING = re.compile(r'^#+ (.+)$', re.MULTILINE)


class Block(NamedTuple):
    """A fenced block, or a command in a sentence."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        """Where it stands, for the test's name."""
        return f'{self.page.stem}-{self.line}'


def blocks(*languages: str) -> list[Block]:
    """The fenced blocks of some languages in all pages."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding='utf-8')
        for match in FENCE.finditer(text):
            line = text.count('\n', 0, match.start()) + 1
            if match[1] in languages:
                found.append(Block(page, line, match[1], match[2]))
    return found


def inline_commands() -> list[Block]:
    """The commands that stand in sentences."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding='utf-8')
        bare = FENCE.sub(lambda match: '\n' * match[0].count('\n'), text)
        for match in INLINE.finditer(bare):
            if match[1].startswith(PROGRAMS):
                line = bare.count('\n', 0, match.start()) + 1
                found.append(Block(page, line, 'bash', match[1].replace('\n', ' ')))
    return found


def is_config(block: Block) -> bool:
    """Whether a Python block only sets names, as a config does."""
    return all(isinstance(node, ast.Assign) for node in ast.parse(block.text).body)


def module_name(block: Block) -> str | None:
    """The file that a block's first line says it is, without its ending."""
    described = re.match(r'"""(\w+)\.py', block.text)
    return described and described[1]


def links(page: Path) -> list[str]:
    """The targets of a page's links to files and headings of this project."""
    text = FENCE.sub('', page.read_text(encoding='utf-8'))
    return [each for each in LINK.findall(text) if '://' not in each]


def anchors(page: Path) -> set[str]:
    """What a link to a page may end in, `#...`."""
    text = FENCE.sub('', page.read_text(encoding='utf-8'))
    plain = (re.sub(r'[^\w\s-]', '', each.lower()) for each in HEADING.findall(text))
    return {each.strip().replace(' ', '-') for each in plain}
