# Cityscapes with labels for 1/8 of train: `make-splits`, given
# configs/_base_/datasets/cityscapes.py, writes the lists. A batch is half labelled.
_base_ = './cityscapes.py'
unlabelled_pipeline = [
    dict(type='LoadImageFromFile'),
    # They are not trained on: they tell how right the pseudo-labels are.
    dict(type='LoadOptionalAnnotations'),
    dict(
        type='RandomResize', scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True
    ),
    dict(type='RandomCrop', crop_size={{_base_.crop_size}}),
    dict(type='RandomFlip', prob=0.5),
]
pictures = dict(
    type={{_base_.dataset_type}},
    data_root={{_base_.data_root}},
    data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'),
)
train_dataloader = dict(
    batch_size=16,
    sampler=dict(_delete_=True, type='SemiSupervisedSampler', ratio=(1, 1)),
    collate_fn=dict(type='branch_collate'),
    dataset=dict(
        _delete_=True,
        type='SemiSupervisedDataset',
        labelled=dict(
            **pictures,
            ann_file='splits/1_8/labelled.txt',
            pipeline={{_base_.train_pipeline}},
        ),
        unlabelled=dict(
            **pictures,
            ann_file='splits/1_8/unlabelled.txt',
            pipeline=unlabelled_pipeline,
        ),
    ),
)
del pictures
val_evaluator = dict(
    _delete_=True, type='SemiEvaluator', metrics={{_base_.val_evaluator}}
)
test_evaluator = val_evaluator
