# CamVid's train split alone, to choose settings by: the drive 0006R0 is left out of
# training and scored. Its pictures are 63 to 163 of 367 by name; the others are of
# 0001TP, which test goes on with, and of 0016E5, whose other pictures are val. All
# eleven classes are in either part. Test is not looked at.
_base_ = './camvid.py'
held_out = list(range(62, 163))
scored = dict(
    data_prefix=dict(img_path='img_dir/train', seg_map_path='ann_dir/train'),
    indices=held_out,
)
train_dataloader = dict(
    dataset=dict(indices=[i for i in range(367) if i not in held_out])
)
val_dataloader = dict(dataset=scored)
test_dataloader = dict(dataset=scored)
del held_out, scored
