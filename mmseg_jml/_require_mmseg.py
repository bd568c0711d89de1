"""Imported for its effect, first in every subpackage that registers something.

Without MMSegmentation the import of such a subpackage then ends in a sentence that says
how to install it, not in a bare "No module named 'mmseg'".
"""

from .installation import require_mmseg

require_mmseg()
