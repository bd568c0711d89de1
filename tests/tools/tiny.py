"""A config that trains in seconds: three small convolutions on synthetic shapes.

`max_iters` 30, a checkpoint each 5, validation at the end. It stands alone, so that a
test of the tools does not fail with the shipped configs.
"""

default_scope = 'mmseg'
custom_imports = {'imports': ['mmseg_jml'], 'allow_failed_imports': False}
pipeline = [
    {'type': 'LoadImageFromFile'},
    {'type': 'LoadAnnotations'},
    {'type': 'PackSegInputs'},
]
norm_cfg = {'type': 'BN'}
model = {
    'type': 'EncoderDecoder',
    'data_preprocessor': {
        'type': 'SegDataPreProcessor',
        'mean': [127.5] * 3,
        'std': [127.5] * 3,
        'size': (32, 48),
    },
    'backbone': {
        'type': 'UNet',
        'base_channels': 4,
        'num_stages': 2,
        'strides': (1, 1),
        'enc_num_convs': (1, 1),
        'dec_num_convs': (1,),
        'downsamples': (True,),
        'enc_dilations': (1, 1),
        'dec_dilations': (1,),
        'norm_cfg': norm_cfg,
    },
    'decode_head': {
        'type': 'FCNHead',
        'in_channels': 4,
        'in_index': -1,
        'channels': 4,
        'num_convs': 1,
        'num_classes': 4,
        'dropout_ratio': 0.0,  # its random state is not in a checkpoint
        'norm_cfg': norm_cfg,
        'align_corners': False,
        'loss_decode': {'type': 'JaccardMetricLoss'},
    },
    'test_cfg': {'mode': 'whole'},
}


def loader(seed: int, sampler: str, length: int) -> dict:
    """Return a data loader of synthetic pictures."""
    return {
        'batch_size': 2,
        'num_workers': 0,
        'sampler': {'type': sampler, 'shuffle': sampler == 'InfiniteSampler'},
        'dataset': {
            'type': 'SyntheticShapesDataset',
            'length': length,
            'size': (32, 48),
            'num_classes': 4,
            'seed': seed,
            'pipeline': pipeline,
        },
    }


train_dataloader = loader(0, 'InfiniteSampler', 16)
val_dataloader = test_dataloader = loader(1, 'DefaultSampler', 4)
val_evaluator = test_evaluator = {'type': 'IoUMetric', 'iou_metrics': ['mIoU']}
train_cfg = {'type': 'IterBasedTrainLoop', 'max_iters': 30, 'val_interval': 30}
val_cfg = {'type': 'ValLoop'}
test_cfg = {'type': 'TestLoop'}
optim_wrapper = {'type': 'OptimWrapper', 'optimizer': {'type': 'SGD', 'lr': 0.1}}
default_hooks = {
    'checkpoint': {'type': 'CheckpointHook', 'by_epoch': False, 'interval': 5},
    'logger': {'type': 'LoggerHook', 'interval': 5, 'log_metric_by_epoch': False},
}
log_processor = {'by_epoch': False}
randomness = {'seed': 0}
tta_model = {'type': 'SegTTAModel'}
tta_pipeline = [
    {'type': 'LoadImageFromFile'},
    {
        'type': 'TestTimeAug',
        'transforms': [
            [{'type': 'RandomFlip', 'prob': 0.0}, {'type': 'RandomFlip', 'prob': 1.0}],
            [{'type': 'LoadAnnotations'}],
            [{'type': 'PackSegInputs'}],
        ],
    },
]
