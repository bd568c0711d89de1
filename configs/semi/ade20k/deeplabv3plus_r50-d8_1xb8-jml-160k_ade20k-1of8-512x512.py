_base_ = [
    '../../_base_/models/deeplabv3plus_r50-d8.py',
    '../../_base_/recipes/ade20k.py',
    '../../_base_/losses/jml.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    decode_head=dict(num_classes=150, loss_decode={{_base_.loss_main}}),
    auxiliary_head=dict(num_classes=150, loss_decode={{_base_.loss_aux}}),
    test_cfg={{_base_.test_window}},
)
train_dataloader = dict(
    dataset=dict(ann_file='splits/1_8/labelled.txt'),
)
