_base_ = [
    '../../_base_/models/deeplabv3plus_r50-d8.py',
    '../../_base_/recipes/semi_voc12aug.py',
    '../../_base_/losses/jml.py',
    '../../_base_/semi/fixmatch-jml.py',
]
model = dict(
    type='SemiEncoderDecoder',
    unlabelled={{_base_.unlabelled}},
    pseudo_label={{_base_.pseudo_label}},
    data_preprocessor=dict(type='SemiSegDataPreprocessor', size={{_base_.crop_size}}),
    decode_head=dict(num_classes=21, loss_decode={{_base_.loss_main}}),
    auxiliary_head=dict(num_classes=21, loss_decode={{_base_.loss_aux}}),
    test_cfg={{_base_.test_window}},
)
