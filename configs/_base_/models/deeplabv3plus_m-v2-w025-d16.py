# Half as wide again: a student.
_base_ = './deeplabv3plus_m-v2-w05-d16.py'
model = dict(
    backbone=dict(widen_factor=0.25),
    decode_head=dict(in_channels=80, channels=32, c1_in_channels=8, c1_channels=8),
)
