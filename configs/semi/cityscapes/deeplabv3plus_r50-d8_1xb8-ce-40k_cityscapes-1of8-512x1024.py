_base_ = [
    '../../_base_/models/deeplabv3plus_r50-d8.py',
    '../../_base_/recipes/cityscapes.py',
    '../../_base_/losses/ce.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    decode_head=dict(num_classes=19, loss_decode={{_base_.loss_main}}),
    auxiliary_head=dict(num_classes=19, loss_decode={{_base_.loss_aux}}),
    test_cfg={{_base_.test_window}},
)
train_dataloader = dict(
    dataset=dict(ann_file='splits/1_8/labelled.txt'),
)
