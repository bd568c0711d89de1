# MMSegmentation's baseline on Cityscapes, 40k iterations of 8 crops; test on whole
# pictures.
_base_ = [
    '../datasets/cityscapes.py',
    '../default_runtime.py',
    '../schedules/mmseg_40k.py',
]
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(
        type='RandomResize', scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True
    ),
    dict(type='RandomCrop', crop_size={{_base_.crop_size}}, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
# The auxiliary head keeps its loss, so that only the main head's loss changes.
baseline_aux = dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=0.4)
