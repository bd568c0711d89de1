_base_ = [
    '../../_base_/models/segformer_mit-b2.py',
    '../../_base_/recipes/ade20k_adamw.py',
    '../../_base_/losses/jml-bls.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    decode_head=dict(num_classes=150, loss_decode={{_base_.loss_decode}}),
    test_cfg={{_base_.test_window}},
)
