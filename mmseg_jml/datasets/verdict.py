"""Problems that show only in all masks together."""

from __future__ import annotations

from .pairs import MaskRules, Pair, Problem, some, wrong_ids
from .reading import Entry, Reader

BLACK_AND_WHITE = frozenset({0, 255})
BINARY = frozenset({0, 1})


class MaskIds:
    """Collects which ids each mask holds and judges them together."""

    def __init__(self) -> None:
        self.masks: dict[str, frozenset[int]] = {}
        self.classes: set[int] = set()
        self.num_classes = 0
        self.shifted = self.unfit = False

    def add(self, entry: Entry, pair: Pair, reader: Reader, rules: MaskRules) -> None:
        """Take in one mask; what could not be read is passed over."""
        if not pair.pixels:
            return
        self.masks[entry['seg_map_path']] = ids = frozenset(pair.pixels)
        self.num_classes = max(self.num_classes, rules.num_classes)
        names = reader.names(entry)
        self.shifted |= bool(names.get('reduce_zero_label')) or rules.ignored != 255
        self.unfit |= bool(wrong_ids(sorted(ids), names, rules))
        classes = reader.class_of_ids(entry)
        fitting = {int(classes[i]) for i in ids if 0 <= i < 256}
        self.classes |= fitting & set(range(rules.num_classes))

    def judge(self) -> tuple[list[Problem], list[str]]:
        """Problems, and notes about what may be one."""
        problems, notes = self._black_and_white()
        alone = len(self.classes) == 1 and self.num_classes > 1
        if alone and not (problems or self.unfit):
            sentence = (
                f'all labelled pixels of {len(self.masks)} masks belong to class '
                f'{min(self.classes)}, one of {self.num_classes}: a model cannot learn '
                f'from them'
            )
            problems.append(Problem('one class alone', sentence))
        return problems, notes

    def _black_and_white(self) -> tuple[list[Problem], list[str]]:
        """Masks in which 255, which is ignored, may have been meant as a class."""
        suspects = [
            path
            for path, ids in self.masks.items()
            if 255 in ids and ids <= BLACK_AND_WHITE
        ]
        if not any(0 in self.masks[path] for path in suspects):
            return [], []  # masks of 255 alone are ignored as a whole
        if len(suspects) == len(self.masks):
            sentence = 'every mask holds only 0 and 255, but 255 means ignored'
            return [Problem('black and white', sentence)], []
        if self.shifted:  # 0 is no class
            return [], []
        found = (
            f'{len(suspects)} of {len(self.masks)} masks hold only 0 and 255, but 255 '
            f'means ignored: {some(suspects)}'
        )
        rest = [ids for path, ids in self.masks.items() if path not in set(suspects)]
        others = frozenset().union(*rest)
        if not others <= BINARY | {255}:
            return [], []  # of several classes some images lack all but the first
        if 255 in others:
            return [], [f'{found}; if white is a class there, write its id']
        return [Problem('black and white', f'{found}. No other mask holds 255')], []
