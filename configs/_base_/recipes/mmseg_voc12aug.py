# MMSegmentation's baseline on VOC 2012: 40k iterations of 16 crops; scales are relative
# to a shorter side of 512, in training and at test, which sees whole pictures.
_base_ = [
    '../datasets/voc12aug.py',
    '../default_runtime.py',
    '../schedules/mmseg_40k.py',
]
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(
        type='RandomResize', scale=(2048, 512), ratio_range=(0.5, 2.0), keep_ratio=True
    ),
    dict(type='RandomCrop', crop_size={{_base_.crop_size}}, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
resize = dict(type='Resize', scale=(2048, 512), keep_ratio=True)
test_pipeline = [
    dict(type='LoadImageFromFile'),
    resize,
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [resize],
            [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)],
            [dict(type='LoadAnnotations')],
            [dict(type='PackSegInputs')],
        ],
    ),
]
del resize
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
# The auxiliary head keeps its loss, so that only the main head's loss changes.
baseline_aux = dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=0.4)
