# ADE20K for models that SGD does not suit.
_base_ = [
    '../datasets/ade20k.py',
    '../default_runtime.py',
    '../schedules/adamw_160k.py',
]
# Windows of the crop's size, two thirds of it apart.
test_window = dict(mode='slide', crop_size={{_base_.crop_size}}, stride=(342, 342))
