# DeepGlobe Land Cover, 6 classes, unknown ignored, at its own 2448x2448. Labels and
# fold lists come from tools/dataset_converters/deepglobe.py.
dataset_type = 'DeepGlobeLandDataset'
data_root = 'data/deepglobe'
# 0 to 4. `DEEPGLOBE_FOLD=3 python -m mmseg_jml train ...` changes it in every split;
# `--cfg-options` come too late for that.
fold = {{'$DEEPGLOBE_FOLD:0'}}
data_prefix = dict(img_path='land-train', seg_map_path='labels')
crop_size = (512, 512)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(
        type='RandomResize', scale=(2448, 2448), ratio_range=(0.5, 2.0), keep_ratio=True
    ),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)],
            [dict(type='LoadAnnotations')],
            [dict(type='PackSegInputs')],
        ],
    ),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=data_prefix,
        ann_file=f'folds/fold{fold}_train.txt',
        pipeline=train_pipeline,
    ),
)
# Only the pictures of train have labels: five-fold cross-validation.
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=data_prefix,
        ann_file=f'folds/fold{fold}_val.txt',
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    dict(type='CalibrationMetric'),
]
test_evaluator = val_evaluator
# It draws what the CalibrationMetric measures, so it stands beside it.
custom_hooks = [dict(type='CalibrationHook')]
