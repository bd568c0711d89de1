_base_ = [
    '../../_base_/models/deeplabv3plus_m-v2-w025-d16.py',
    '../../_base_/datasets/semi_camvid.py',
    '../../_base_/default_runtime.py',
    '../../_base_/schedules/schedule_1k.py',
    '../../_base_/losses/jml.py',
    '../../_base_/semi/mean-teacher-jml.py',
]
model = dict(
    type='SemiEncoderDecoder',
    unlabelled={{_base_.unlabelled}},
    ramp_up=1000,
    ema=dict(type='MomentumAnnealingEMA', momentum=0.02, gamma=1),
    data_preprocessor=dict(type='SemiSegDataPreprocessor', size={{_base_.crop_size}}),
    decode_head=dict(num_classes=11, loss_decode={{_base_.loss_decode}}),
)
train_dataloader = dict(dataset=dict(strong_views=0))
default_hooks = dict(checkpoint=dict(save_best='ema/mIoU'))
custom_hooks = [dict(type='CalibrationHook'), dict(type='PseudoLabelHook')]
