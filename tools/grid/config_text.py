"""The text of each config of the grid."""

from __future__ import annotations

from .leaves import DATA, MODELS, UNLABELLED, Leaf

TAUGHT = """    type='DistillationEncoderDecoder',
    teacher={{_base_.teacher}},
    teacher_checkpoint={{_base_.teacher_checkpoint}},
    distill_losses={{_base_.distill_main}},
    auxiliary_distill_losses={{_base_.distill_aux}},
"""
LEARNT = """    type='SemiEncoderDecoder',
    unlabelled={{_base_.unlabelled}},
    pseudo_label={{_base_.pseudo_label}},
"""


def config(leaf: Leaf) -> str:
    """The text of a leaf."""
    auxiliary = MODELS[leaf.model].auxiliary
    baseline = leaf.recipe.startswith('mmseg_')

    def head(name: str, loss: str) -> str:
        classes = DATA[leaf.folder].num_classes
        loss = f'{{{{_base_.{loss}}}}}'
        return f'    {name}=dict(num_classes={classes}, loss_decode={loss}),\n'

    more, options, preprocessor, loss = '', '', '', leaf.loss
    if leaf.tree == 'distillation':
        more, options = f"    '../../_base_/teachers/{leaf.folder}.py',\n", TAUGHT
    elif loss in UNLABELLED:
        more, options = f"    '../../_base_/semi/{loss}.py',\n", LEARNT
        preprocessor, loss = "type='SemiSegDataPreprocessor', ", loss.split('-')[1]
    text = f"""_base_ = [
    '../../_base_/models/{leaf.model}.py',
    '../../_base_/recipes/{leaf.recipe}.py',
    '../../_base_/losses/{loss}.py',
{more}]
model = dict(
{options}    data_preprocessor=dict({preprocessor}size={{{{_base_.crop_size}}}}),
"""
    if baseline:
        text += head('decode_head', 'loss_decode')
        text += head('auxiliary_head', 'baseline_aux')
    elif auxiliary:
        text += head('decode_head', 'loss_main') + head('auxiliary_head', 'loss_aux')
    else:
        text += head('decode_head', 'loss_decode')
    if not baseline:
        text += '    test_cfg={{_base_.test_window}},\n'
    return f'{text})\n{pictures(leaf)}'


def pictures(leaf: Leaf) -> str:
    """What a semi-supervised leaf reads, where it is not as its base says."""
    folder = f'splits/{leaf.labels.replace("of", "_")}'
    if leaf.labels and leaf.loss not in UNLABELLED:
        text = f"    dataset=dict(ann_file='{folder}/labelled.txt'),\n"
        return f'train_dataloader = dict(\n{text})\n'
    text = '        strong_views=2,\n' if leaf.loss.startswith('unimatch') else ''
    if leaf.labels not in ('', '1of8'):
        for kind in ('labelled', 'unlabelled'):
            text += f"        {kind}=dict(ann_file='{folder}/{kind}.txt'),\n"
    text = f'    dataset=dict(\n{text}    ),\n' if text else ''
    return f'train_dataloader = dict(\n{text})\n' if text else ''
