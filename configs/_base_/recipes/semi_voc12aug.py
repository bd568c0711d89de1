# The paper's training on VOC 2012, with as many unlabelled pictures as labelled
# ones in a batch.
_base_ = [
    '../datasets/semi_voc12aug.py',
    '../default_runtime.py',
    '../schedules/paper_40k.py',
]
# Windows of the crop's size, two thirds of it apart.
test_window = dict(mode='slide', crop_size={{_base_.crop_size}}, stride=(342, 342))
# UniMatch's threshold; the paper's own set-up is not published.
pseudo_label = dict(threshold=0.95, temperature=0.5)
default_hooks = dict(checkpoint=dict(save_best='ema/mIoU'))
custom_hooks = [dict(type='CalibrationHook'), dict(type='PseudoLabelHook')]
